import {
  ANNOUNCED_FOR_MS,
  MAX_PROCESSES,
  type AnnouncedIdentity,
  type Announcement,
  type ClaimOwnerRow,
  type ServingRow,
  type TenantProcesses,
} from '../../store/port/index.js';
import type { MemoryTables } from './memory-tables.js';

/** Min age of an announcement that is deleted because its process is dead, in milliseconds. */
const KEPT_MS = 60_000;

/** What a process serves in one tenant. */
export interface MemoryProcessRow extends AnnouncedIdentity, Omit<Announcement, 'tenant'> {
  readonly lockSession: string | null;
  readonly since: number;
  readonly seenAt: number;
}

export function announce(
  tables: MemoryTables,
  process: AnnouncedIdentity & { readonly lockSession: string | null },
  { state, slots, definitions, limits }: Announcement,
): void {
  const now = tables.now();
  const since = tables.processes.get(process.processId)?.since ?? now;
  tables.processes.set(process.processId, {
    ...process,
    state,
    slots,
    definitions,
    limits,
    since,
    seenAt: now,
  });
  for (const row of tables.processes.values()) {
    if (row.seenAt < now - KEPT_MS && !isAlive(tables, row)) tables.processes.delete(row.processId);
  }
}

export function readProcesses(tables: MemoryTables, workflow: string): TenantProcesses {
  const serving = [...tables.processes.values()]
    .filter((row) => isAlive(tables, row))
    .sort((a, b) => a.since - b.since || (a.processId < b.processId ? -1 : 1))
    .slice(0, MAX_PROCESSES)
    .map((row) => servingRow(tables, row, workflow));
  return { serving, owners: [...tables.leases.keys()].map((id) => ownerRow(tables, id)) };
}

/** There are no connections here besides the one with the lock, so no process is away. */
function isAlive(tables: MemoryTables, { lockSession, seenAt }: MemoryProcessRow): boolean {
  return lockSession === null
    ? seenAt > tables.now() - ANNOUNCED_FOR_MS
    : tables.locks.has(lockSession);
}

function servingRow(tables: MemoryTables, row: MemoryProcessRow, workflow: string): ServingRow {
  const { processId, name, state, slots, format, since, limits } = row;
  const own = row.definitions.flatMap((id) => tables.definitions.get(id) ?? []);
  const asked = own.find((definition) => definition.name === workflow);
  return {
    processId,
    name,
    state,
    slots,
    format,
    isAway: false,
    since: new Date(since),
    workflows: own.map((definition) => definition.name).sort(),
    limits,
    taskNames: asked === undefined ? null : taskNamesOf(asked.definition),
  };
}

function ownerRow(tables: MemoryTables, id: string): ClaimOwnerRow {
  const lease = tables.leases.get(id);
  const { processId = '', name = '', lockSession = null, expiresAt = 0 } = lease ?? {};
  const isGone = lockSession !== null && !tables.locks.has(lockSession);
  return {
    instanceId: id,
    processId,
    name,
    claimed: tables.running(id).length,
    lost: expiresAt <= tables.now() ? 'leaseOver' : isGone ? 'lockGone' : null,
  };
}

function taskNamesOf(definition: string): string[] {
  const { tasks } = JSON.parse(definition) as { tasks: { name: string }[] };
  return tasks.map(({ name }) => name);
}
