import { periodOf } from '../../workflow/retention.js';
import {
  KEY_GRACE_MS,
  versionOf,
  type ExpiredTree,
  type HeldExecution,
  type RetentionDeletion,
  type RetentionNote,
  type RetentionRules,
  type RetentionTurn,
  type RetentionWalk,
  type WalkedPart,
} from '../../store/port/index.js';
import { detailOf } from './memory-control.js';
import { deleteTree, membersOf } from './memory-deletion.js';
import type { MemoryExecution, MemoryRetention } from './memory-rows.js';
import { keyOf, type MemoryTables } from './memory-tables.js';

const NEW: MemoryRetention = {
  holder: null,
  heldUntil: 0,
  rules: {},
  lapAt: null,
  deleted: 0,
  failures: 0,
  failure: null,
  failedAt: null,
};

export function takeTurn(
  tables: MemoryTables,
  holder: string,
  holdMs: number,
  rules: RetentionRules,
): RetentionTurn {
  const now = tables.now();
  const row = (tables.retention ??= { ...NEW });
  row.rules = { ...row.rules, ...rules };
  if (row.holder === null || row.holder === holder || row.heldUntil <= now) {
    row.holder = holder;
    row.heldUntil = now + holdMs;
  }
  const isMine = row.holder === holder;
  const { failures } = row;
  return { isMine, heldForMs: isMine ? 0 : row.heldUntil - now, now, rules: row.rules, failures };
}

export function note(tables: MemoryTables, noted: RetentionNote): void {
  const { holder, holdMs, deleted, hasEnded, failure } = noted;
  const now = tables.now();
  const row = tables.retention;
  if (row?.holder !== holder) return;
  if (holdMs > 0) row.heldUntil = now + holdMs;
  else row.holder = null;
  row.deleted += deleted;
  if (hasEnded) row.lapAt = now;
  if (failure === undefined) return;
  row.failures = failure === null ? 0 : row.failures + 1;
  row.failure = failure;
  row.failedAt = failure === null ? null : now;
}

export function walk(
  tables: MemoryTables,
  { after, until, periods, limit }: RetentionWalk,
): WalkedPart {
  const now = tables.now();
  const all = [...tables.executions.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
  const walked = all.filter(({ id }) => id > after && id < until).slice(0, limit);
  const dueIn = (row: MemoryExecution): number | null => {
    if (row.completedAt === null || row.parentExecutionId !== null || row.legalHold) return null;
    const period = periodOf({ ...periods, keepLast: 0 }, row.status);
    return period === null ? null : period - (now - row.completedAt);
  };
  const isDue = (row: MemoryExecution): boolean => (dueIn(row) ?? 1) <= 0 && row.unsettled === 0;
  const later = walked.filter((row) => !isDue(row)).flatMap((row) => dueIn(row) ?? []);
  const isFull = walked.length === limit;
  return {
    found: walked.filter(isDue).map((row) => ({
      id: row.id,
      workflow: row.workflow,
      status: row.status,
      generation: row.generation,
      createdAtMicros: row.createdAt * 1_000,
      endedForMs: now - (row.completedAt ?? now),
      hasKey: row.idempotencyKey !== null,
    })),
    last: isFull ? (walked.at(-1)?.id ?? null) : null,
    nextInMs: later.length === 0 ? null : Math.max(0, Math.min(...later)),
    beyond: isFull ? null : (all.find(({ id }) => id >= until)?.id ?? null),
  };
}

export function keptSince(tables: MemoryTables, workflow: string, count: number): number | null {
  const created = [...tables.executions.values()]
    .filter((row) => row.workflow === workflow && row.parentExecutionId === null)
    .filter(({ completedAt }) => completedAt !== null)
    .map(({ createdAt }) => createdAt * 1_000)
    .sort((a, b) => b - a);
  return created[count - 1] ?? null;
}

export function deleteExpired(
  tables: MemoryTables,
  trees: readonly ExpiredTree[],
): RetentionDeletion {
  const deleted: string[] = [];
  const left: string[] = [];
  for (const { id, generation, version } of trees) {
    const members = membersOf(tables, id);
    if (members[0]?.generation !== generation || !members.every(({ isReady }) => isReady)) continue;
    if (version !== null && version !== versionOf(members)) left.push(id);
    else if (deleteTree(tables, id)) deleted.push(id);
  }
  return { deleted, left };
}

export function keepKeys(tables: MemoryTables, ids: readonly string[], keepMs: number): string[] {
  const now = tables.now();
  return ids.filter((id) => {
    const row = tables.executions.get(id);
    if (row === undefined || row.completedAt === null || row.idempotencyKey === null) return false;
    const key = keyOf(row.workflow, row.idempotencyKey);
    const known = tables.keptKeys.get(key);
    const keptAt = known?.executionId === id ? known.keptAt : now;
    tables.keptKeys.set(key, { executionId: id, keptAt, expiresAt: now + keepMs });
    return keptAt <= now - KEY_GRACE_MS;
  });
}

export function expireKeys(tables: MemoryTables, limit: number): number {
  const due = [...tables.keptKeys].filter(([, { expiresAt }]) => expiresAt <= tables.now());
  const expired = due.slice(0, limit);
  for (const [key] of expired) tables.keptKeys.delete(key);
  return expired.length;
}

/** The deleted execution that had the key, if the key is kept. */
export function keptKeyOf(
  tables: MemoryTables,
  workflow: string,
  key: string | null,
): string | undefined {
  if (key === null) return undefined;
  const kept = tables.keptKeys.get(keyOf(workflow, key));
  return kept === undefined || kept.expiresAt <= tables.now() ? undefined : kept.executionId;
}

export function hold(
  tables: MemoryTables,
  id: string,
  isHeld: boolean,
  { reason, actor }: { readonly reason: string | null; readonly actor: string | null },
): HeldExecution | undefined {
  const row = tables.executions.get(id);
  if (row === undefined) return undefined;
  const changed = row.legalHold !== isHeld;
  row.legalHold = isHeld;
  if (changed)
    tables.addEvent(id, isHeld ? 'legalHold' : 'legalHoldReleased', detailOf(reason, actor));
  return { workflow: row.workflow, changed };
}
