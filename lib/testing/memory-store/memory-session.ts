import {
  UNSETTLED_OF_ALL,
  type AnnouncedIdentity,
  type Announcement,
  type DueTasks,
  type DueTime,
  MAX_BACKLOG,
  type EngineSession,
  type HeldLease,
  type LeaseRow,
  type LivingLocks,
  type RecoverySession,
  type SweepResult,
  type TenantHandle,
  type TenantSweep,
  type UnsettledEnd,
  type WorkflowPause,
} from '../../store/port/index.js';
import { waitsForTurn } from './memory-admissions.js';
import { openChildSteps, unsettledOf } from './memory-children.js';
import type { MemoryDatabase } from './memory-database.js';
import { announce } from './memory-processes.js';
import { releaseLease, renewLease } from './memory-leases.js';
import { isWaiting, type MemoryExecution } from './memory-rows.js';
import type { MemoryTables } from './memory-tables.js';

/** Statuses of executions in which tasks may run. */
const UNDER_WAY = new Set(['Finishing', 'Paused', 'Running']);

/** One process's session with a database in memory. It holds a lock until it is closed. */
export class MemorySession implements EngineSession, RecoverySession {
  readonly epoch = 'memory';
  readonly interrupted = false;
  readonly lockSession: string;
  private readonly openedAt: number;

  constructor(private readonly database: MemoryDatabase) {
    this.lockSession = database.takeLock();
    this.openedAt = database.now();
  }

  get ageMs(): number {
    return this.database.now() - this.openedAt;
  }

  /** Releases the lock, so that the process counts as lost. */
  async close(): Promise<void> {
    this.database.locks.delete(this.lockSession);
  }

  /** Always infinite, because this server never restarts. */
  lifeAgeMs(): number {
    return Infinity;
  }

  async renew(leases: readonly HeldLease[], leaseDurationMs: number): Promise<boolean[]> {
    const lock = { lockEpoch: this.epoch, lockSession: this.lockSession };
    return leases.map(({ tenant, instanceId }) =>
      renewLease(this.tablesOf(tenant), instanceId, leaseDurationMs, lock),
    );
  }

  async release(leases: readonly HeldLease[]): Promise<boolean[]> {
    return leases.map(({ tenant, instanceId }) => releaseLease(this.tablesOf(tenant), instanceId));
  }

  async notify(payloads: readonly string[]): Promise<void> {
    this.database.notify(payloads);
  }

  async dueTimes(tenants: readonly TenantHandle[]): Promise<DueTime[][]> {
    return tenants.map((tenant) => dueTimes(this.tablesOf(tenant)));
  }

  async backlog(tenants: readonly TenantHandle[]): Promise<DueTasks[]> {
    return tenants.map((tenant) => {
      const tables = this.tablesOf(tenant);
      const now = tables.now();
      const times = tables
        .allTasks()
        .filter(isWaiting)
        .map(({ runAt }) => now - runAt)
        .filter((ms) => ms >= 0);
      return { due: Math.min(times.length, MAX_BACKLOG), oldestMs: Math.max(0, ...times) };
    });
  }

  async sweep(tenants: readonly TenantHandle[], withLocks = false): Promise<SweepResult> {
    const swept = tenants.map((tenant, index) => sweep(this.tablesOf(tenant), index));
    return { tenants: swept, living: withLocks ? await this.livingLocks() : undefined };
  }

  async useChildren(tenants: readonly TenantHandle[]): Promise<boolean[]> {
    return tenants.map((tenant) => {
      const tables = this.tablesOf(tenant);
      const isUse = ({ parentExecutionId, completedAt, unsettled }: MemoryExecution): boolean =>
        parentExecutionId !== null || (completedAt !== null && unsettled !== 0);
      return [...tables.executions.values()].some(isUse) || openChildSteps(tables).length > 0;
    });
  }

  async unsettled(tenants: readonly TenantHandle[]): Promise<UnsettledEnd[][]> {
    return tenants.map((tenant) => unsettledOf(this.tablesOf(tenant), UNSETTLED_OF_ALL));
  }

  async pausedWorkflows(tenants: readonly TenantHandle[]): Promise<WorkflowPause[][]> {
    return tenants.map((tenant) => this.tablesOf(tenant).listPauses());
  }

  async announce(
    process: AnnouncedIdentity,
    announcements: readonly Announcement[],
  ): Promise<true[]> {
    return announcements.map((announcement) => {
      const tables = this.tablesOf(announcement.tenant);
      announce(tables, { ...process, lockSession: this.lockSession }, announcement);
      return true;
    });
  }

  async withdraw(processId: string, tenants: readonly TenantHandle[]): Promise<true[]> {
    return tenants.map((tenant) => {
      this.tablesOf(tenant).processes.delete(processId);
      return true;
    });
  }

  async leases(tenants: readonly TenantHandle[]): Promise<LeaseRow[][]> {
    return tenants.map((tenant, index) => leaseRows(this.tablesOf(tenant), index));
  }

  async underWay(tenants: readonly TenantHandle[]): Promise<boolean[]> {
    return tenants.map((tenant) =>
      [...this.tablesOf(tenant).executions.values()].some(({ status }) => UNDER_WAY.has(status)),
    );
  }

  async livingLocks(): Promise<LivingLocks> {
    const sessions = new Set(this.database.locks);
    return { sessions, ofLogin: [...sessions], at: this.database.now() };
  }

  /** Always empty: a process has no connections here, only its lock. */
  async connected(): Promise<Set<LeaseRow>> {
    return new Set();
  }

  async terminate(lease: LeaseRow): Promise<void> {
    if (lease.lockSession !== null) this.database.locks.delete(lease.lockSession);
  }

  private tablesOf({ schema }: TenantHandle): MemoryTables {
    return this.database.tables(schema);
  }
}

function sweep(tables: MemoryTables, index: number): TenantSweep {
  // One time for all, or the fingerprint changes with the time between two readings.
  const now = tables.now();
  const running = tables.allTasks().filter(({ status }) => status === 'Running');
  const owners = new Set(running.flatMap(({ owner }) => owner ?? []));
  const found = {
    leases: leaseRows(tables, index),
    unleased: [...owners].filter((owner) => !tables.leases.has(owner)),
    due: dueTimes(tables, now),
    schemaId: tables.schema,
  };
  return { ...found, fingerprint: fingerprintOf(found, now) };
}

function fingerprintOf(
  { leases, unleased, due, schemaId }: Omit<TenantSweep, 'fingerprint'>,
  now: number,
): string | undefined {
  const isQuiet =
    unleased.length === 0 &&
    due.every(({ inMs }) => inMs > 0) &&
    leases.every(({ overForMs }) => overForMs < 0);
  const dueAt = due.map(({ kind, inMs }) => `${kind} ${now + inMs}`);
  return isQuiet ? [schemaId, ...dueAt].join(' ') : undefined;
}

function leaseRows(tables: MemoryTables, tenant: number): LeaseRow[] {
  return [...tables.leases.values()].map(({ expiresAt, ...lease }) => ({
    ...lease,
    tenant,
    login: 'memory',
    overForMs: tables.now() - expiresAt,
    readOnly: false,
  }));
}

function dueTimes(tables: MemoryTables, now = tables.now()): DueTime[] {
  const waiting = tables.allTasks().filter(isWaiting);
  const timesOf = (limited: boolean): number[] =>
    waiting
      .filter(({ limitKey }) => (limitKey !== null) === limited)
      .map(({ runAt }) => runAt - now);
  const times = timesOf(false);
  const limited = timesOf(true);
  const deadlines = [...tables.executions.values()].flatMap(({ deadlineAt }) =>
    deadlineAt === null ? [] : [deadlineAt - now],
  );
  const turns = [...tables.executions.values()]
    .filter(waitsForTurn)
    .map(({ runAt }) => runAt - now);
  const expiries = tables.signals.flatMap(({ expiresAt }) =>
    expiresAt === null ? [] : [expiresAt - now],
  );
  const scheduled = [...tables.schedules.values()].flatMap(({ state, nextAt }) =>
    state === 'active' && nextAt !== null ? [nextAt - now] : [],
  );
  return [
    ...staying('task', times),
    ...staying('limited', limited),
    ...staying('admission', turns),
    ...first('deadline', deadlines),
    ...first('message', tables.signals.some(({ delivered }) => !delivered) ? [0] : []),
    ...first('expiry', expiries),
    ...first(
      'eventStart',
      tables.eventStarts.map(({ dueAt }) => dueAt - now),
    ),
    ...staying('schedule', scheduled),
  ];
}

/** For a kind of which some may stay due: the first and the last that are due, and the first later one. */
function staying(kind: DueTime['kind'], times: readonly number[]): DueTime[] {
  const due = times.filter((inMs) => inMs <= 0);
  const later = times.filter((inMs) => inMs > 0);
  const last = due.length === 0 ? [] : [Math.max(...due)];
  return [...first(kind, due), ...first(kind, last), ...first(kind, later)];
}

function first(kind: DueTime['kind'], times: readonly number[]): DueTime[] {
  return times.length === 0 ? [] : [{ kind, inMs: Math.min(...times) }];
}
