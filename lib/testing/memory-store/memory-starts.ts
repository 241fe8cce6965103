import {
  ADMIT_NEXT,
  FIRST_TOKEN,
  type LeaseWrite,
  type StartItem,
  type StartReply,
} from '../../store/port/index.js';
import { priorityLevel } from '../../workflow/priority.js';
import { existingOf, MemoryAsks } from './memory-admissions.js';
import { assertStorable, MemoryFailure } from './memory-failure.js';
import { writeLease } from './memory-leases.js';
import { keptKeyOf } from './memory-retention.js';
import { NO_PARENT, type ParentColumns } from './memory-rows.js';
import { keyOf, type MemoryTables } from './memory-tables.js';
import type { MemoryTransaction } from './memory-transaction.js';

/** Creates executions with all their tasks, and claims root tasks for the process that starts them. */
export function start(
  tables: MemoryTables,
  items: readonly StartItem[],
  lease: LeaseWrite,
  keyed: boolean,
): StartReply {
  assertStorable(items.map(({ input }) => input));
  for (const item of items) assertKeyIsFree(tables, item);
  if (!keyed && items.some((item) => isTaken(tables, item))) {
    throw new MemoryFailure('data', 'An execution with this id or key exists already.');
  }
  const created = new Set<string>();
  const waiting = new Set<string>();
  const instead = new Map<string, string>();
  const asks = new MemoryAsks(tables);
  for (const item of items) {
    const turn = asks.ask(item, existingOf(tables, item));
    if (turn.fate === 'skipped') instead.set(item.id, turn.instead);
    if (turn.fate === 'skipped' || isTaken(tables, item)) continue;
    if (turn.fate === 'waits') waiting.add(item.id);
    insert(tables, turn.fate === 'waits' ? { ...item, claims: 0 } : item, lease, {
      waits: turn.fate === 'waits',
    });
    created.add(item.id);
  }
  writeLease(tables, lease);
  return {
    created: keyed ? created : 'all',
    definitionsAreStored: areStored(tables, items),
    waiting,
    instead,
  };
}

/** The same in a caller's transaction. The rows are written at its commit, and the keys are reserved until its end. */
export function startIn(
  tables: MemoryTables,
  transaction: MemoryTransaction,
  items: readonly StartItem[],
  lease: LeaseWrite,
  committed: () => void,
): StartReply {
  const definitionsAreStored = areStored(tables, items);
  assertStorable(items.map(({ input }) => input));
  const created = new Set<string>();
  for (const item of items) assertKeyIsFree(tables, item, transaction);
  for (const item of items) {
    if (isTakenIn(tables, transaction, item)) continue;
    reserve(tables, transaction, item);
    transaction.onCommit(() => insert(tables, { ...item, claims: 0 }, lease));
    created.add(item.id);
  }
  if (created.size > 0) transaction.onCommit(committed);
  const waiting = items.filter(({ id, admission }) => created.has(id) && admission !== null);
  return { created, definitionsAreStored, waiting: new Set(waiting.map(({ id }) => id)) };
}

/** Whether an execution has this id or key already, or is started in the transaction. */
export function isTakenIn(
  tables: MemoryTables,
  transaction: MemoryTransaction,
  item: StartItem,
): boolean {
  assertKeyIsFree(tables, item, transaction);
  return isTaken(tables, item) || transaction.starts.some((other) => isSame(other, item));
}

/** Reserves the key of a start until the end of the transaction. */
export function reserve(
  tables: MemoryTables,
  transaction: MemoryTransaction,
  item: StartItem,
): void {
  if (item.idempotencyKey !== null) {
    tables.openKeys.set(keyOf(item.plan.workflow, item.idempotencyKey), transaction);
  }
  transaction.starts.push(item);
}

/** Whether an execution has this id or key already. */
export function isTaken(
  tables: MemoryTables,
  { id, plan, idempotencyKey: key }: StartItem,
): boolean {
  return (
    tables.executions.has(id) ||
    (key !== null && tables.findByKey(plan.workflow, key) !== undefined) ||
    keptKeyOf(tables, plan.workflow, key) !== undefined
  );
}

function isSame(a: StartItem, b: StartItem): boolean {
  if (a.id === b.id) return true;
  return (
    a.idempotencyKey !== null &&
    a.idempotencyKey === b.idempotencyKey &&
    a.plan.workflow === b.plan.workflow
  );
}

/** Fails at once if another open transaction has the key, as if the wait for it had timed out. */
function assertKeyIsFree(
  tables: MemoryTables,
  { plan, idempotencyKey: key }: StartItem,
  own?: MemoryTransaction,
): void {
  const holder = key === null ? undefined : tables.openKeys.get(keyOf(plan.workflow, key));
  if (holder === undefined || holder === own) return;
  throw new MemoryFailure('conflict', 'An open transaction has this key.', { isLockTimeout: true });
}

export function areStored(tables: MemoryTables, items: readonly StartItem[]): boolean {
  return items.every(({ plan }) => tables.definitions.has(plan.definitionId));
}

interface Inserted {
  readonly waits?: boolean;
  readonly parent?: ParentColumns;
  readonly debounceKey?: string;
  readonly batchCount?: number;
}

/**
 * Inserts an execution with its tasks.
 *
 * @param waits - whether it has to wait for its turn. Default: if it has an admission
 */
export function insert(
  tables: MemoryTables,
  item: StartItem,
  { claimant }: { readonly claimant: Pick<LeaseWrite['claimant'], 'instanceId'> },
  { waits = item.admission !== null, parent = NO_PARENT, debounceKey, batchCount }: Inserted = {},
): void {
  const { id, plan } = item;
  const claims = waits ? 0 : item.claims;
  const now = tables.now();
  const begins = claims > 0;
  const hasTime = item.runAt !== null || item.delayMs !== null || item.admission !== null;
  const runAt = (item.runAt?.getTime() ?? now) + (item.delayMs ?? 0);
  const limit = item.startBefore;
  const limitAt = limit === null ? null : (limit.at?.getTime() ?? now + (limit.inMs ?? 0));
  tables.executions.set(id, {
    id,
    workflow: plan.workflow,
    definitionId: plan.definitionId,
    idempotencyKey: item.idempotencyKey,
    tags: item.tags,
    priority: item.priority,
    input: item.input,
    traceContext: item.traceContext,
    debounceKey: debounceKey ?? null,
    debouncedBy: null,
    batchCount: batchCount ?? null,
    admissionKey: item.admission?.key ?? null,
    admitted: item.admission !== null && !waits,
    legalHold: false,
    runAt: hasTime ? runAt : null,
    timeoutMs: plan.timeoutMs,
    createdAt: now,
    status: begins ? 'Running' : 'Pending',
    context: null,
    error: null,
    reason: null,
    remainingLeaves: plan.leaves,
    unhandledFailures: 0,
    outcome: null,
    generation: 0,
    hasWaiters: item.hasWaiters,
    deadlineAt: begins ? (plan.timeoutMs === null ? null : now + plan.timeoutMs) : limitAt,
    startedAt: begins ? now : null,
    completedAt: null,
    // Behind the others: an object that begins with a spread costs V8 several times as much.
    ...parent,
    unsettled: parent.unsettled | (item.admission === null ? 0 : ADMIT_NEXT),
  });
  const limitKeys = JSON.parse(item.limitKeys ?? '{}') as Readonly<Record<number, string>>;
  const tasks = plan.priorities.map((priority, taskNo) => {
    const root = plan.rootOrdinals[taskNo] ?? -1;
    const isClaimed = root >= 0 && root < claims;
    return {
      executionId: id,
      taskNo,
      itemNo: 0,
      definitionId: plan.definitionId,
      priority: priorityLevel(item.priority + priority),
      status: root < 0 ? 'NotStarted' : isClaimed ? 'Running' : 'Ready',
      pendingDependencies: plan.pendingDependencies[taskNo] ?? 0,
      unmetDependencies: 0,
      claimToken: isClaimed ? FIRST_TOKEN : 0,
      owner: isClaimed ? claimant.instanceId : null,
      runAt: root >= claims && !waits ? runAt : null,
      paused: false,
      attempt: 0,
      recoveryAttempts: 0,
      generation: 0,
      wakes: 0,
      failureHandled: false,
      hasSteps: false,
      limitKey: limitKeys[taskNo] ?? null,
      itemCount: null,
      item: null,
      skipReason: null,
      output: null,
      deletedKeys: null,
      error: null,
      attempts: null,
      deferredSince: null,
      startedAt: isClaimed ? now : null,
      completedAt: null,
      progress: null,
    };
  });
  tables.tasks.set(id, tasks);
}

/** Creates the execution of a firing. None of its tasks is claimed. */
export function insertScheduled(tables: MemoryTables, item: StartItem): void {
  insert(tables, { ...item, claims: 0 }, { claimant: { instanceId: '' } });
}
