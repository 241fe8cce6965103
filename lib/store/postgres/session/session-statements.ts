import { BulkSender } from './bulk-sender.js';
import { backlogOf, readBacklog } from '../statements/backlog.js';
import { readChildUse, readUnsettledOfAll } from '../statements/child-reads.js';
import { releaseLeases, renewLeases } from '../statements/leases.js';
import { readLeases } from '../statements/recovery.js';
import { announceProcess, withdrawProcess } from '../statements/processes.js';
import { plainArray } from '../statements/encoding.js';
import { readUnderWay } from '../statements/relist-claims.js';
import {
  heldLocks,
  LIVENESS_LOCK_CLASS,
  livingLocksOf,
  readLivingLocks,
} from '../statements/liveness-locks.js';
import { readSweep, readSweepAndLocks, sweepResultOf, type RawSweep } from '../statements/sweep.js';
import { tablesOf } from '../statements/statement.js';
import { mayStayDue } from '../statements/wake-up-kinds.js';
import { readPausesOfAll } from '../statements/workflow-pauses.js';
import { CHANNEL, dueTimesOf, notifyAll, readDueTimes } from '../statements/wake-ups.js';
import type {
  AnnouncedIdentity,
  Announcement,
  DueTasks,
  DueTime,
  HeldLease,
  LeaseRow,
  LivingLocks,
  SweepResult,
  TenantHandle,
  TenantSweep,
  UnsettledEnd,
  WorkflowPause,
} from '../../port/index.js';

/** Prefix of `application_name` on every connection of the library. The process's id follows. */
export const APPLICATION_PREFIX = 'cloacina:';

/**
 * How long a statement for many tenants waits for a lock, in milliseconds. A locked schema (by a migration, for example) does not
 * delay the others: their statements skip it.
 */
export const LOCK_TIMEOUT_MS = 500;

/** The owner of a lease: the process, and the role with which it connects. */
export type LeaseProcess = Pick<LeaseRow, 'processId' | 'login'>;

/** Statements for all tenants of a process at once, and those about the server and its sessions. */
export abstract class SessionStatements extends BulkSender {
  /** Life of the server in which this session took its lock. Null without a lock. */
  abstract readonly epoch: string | null;
  /** The lock: its key and the backend. */
  abstract readonly lockSession: string | null;

  async notify(payloads: readonly string[]): Promise<void> {
    await this.ask(notifyAll, [], [CHANNEL, payloads]);
  }

  /** By index: whether the lease still existed. Undefined if the schema is broken. */
  renew(leases: readonly HeldLease[], leaseDurationMs: number): Promise<(boolean | undefined)[]> {
    return this.inParts(leases, async (part) => {
      const { columns, textFor } = renewLeases;
      const text = textFor(part.map(({ tenant }) => tablesOf(tenant)));
      const instances = part.map(({ instanceId }) => instanceId);
      const values = [this.epoch, this.lockSession, leaseDurationMs, ...instances];
      const [row] = columns.decode(await this.runFirst(text, values));
      return part.map((_, i) => row?.counts[i] === 1);
    });
  }

  /**
   * Deletes leases. By index: whether it is deleted. False if the instance has claims. Undefined if the schema is
   * broken.
   */
  release(leases: readonly HeldLease[]): Promise<(boolean | undefined)[]> {
    return this.inParts(leases, async (part) => {
      const tenants = part.map(({ tenant }) => tenant);
      const instances = part.map(({ instanceId }) => instanceId);
      const [row] = await this.ask(releaseLeases, tenants, instances);
      return part.map((_, i) => row?.counts[i] === 0);
    });
  }

  /** By index. Undefined if the schema is broken. */
  dueTimes(tenants: readonly TenantHandle[]): Promise<(readonly DueTime[] | undefined)[]> {
    return this.inParts(tenants, async (part) =>
      dueTimesOf(await this.ask(readDueTimes, part), part.length),
    );
  }

  /** By index: whether the tenant has executions with parents, unsettled ends, or tasks that wait for children. Undefined if the schema is broken. */
  useChildren(tenants: readonly TenantHandle[]): Promise<(boolean | undefined)[]> {
    return this.inParts(tenants, async (part) => {
      const rows = await this.ask(readChildUse, part);
      return part.map((_, i) => rows.some((row) => row.tenant === i && row.hasChildren === 1));
    });
  }

  /** Ends with something left to settle, by index. Undefined if the schema is broken. */
  unsettled(tenants: readonly TenantHandle[]): Promise<(UnsettledEnd[] | undefined)[]> {
    return this.inParts(tenants, async (part) => {
      const rows = await this.ask(readUnsettledOfAll, part);
      return part.map((_, i) => rows.filter(({ tenant }) => tenant === i));
    });
  }

  /** Due tasks, by index. Undefined if the schema is broken. */
  backlog(tenants: readonly TenantHandle[]): Promise<(DueTasks | undefined)[]> {
    return this.inParts(tenants, async (part) =>
      backlogOf(await this.ask(readBacklog, part), part.length),
    );
  }

  /** Pauses of workflows, by index. Undefined if the schema is broken. */
  pausedWorkflows(tenants: readonly TenantHandle[]): Promise<(WorkflowPause[] | undefined)[]> {
    return this.inParts(tenants, async (part) => {
      const rows = await this.ask(readPausesOfAll, part);
      return part.map((_, i) => rows.filter(({ tenant }) => tenant === i));
    });
  }

  /** By index. Undefined if the schema is broken, or this login may not write there. */
  announce(
    { processId, name, format }: AnnouncedIdentity,
    announcements: readonly Announcement[],
  ): Promise<(true | undefined)[]> {
    return this.inParts(announcements, async (part) => {
      const values = part.flatMap(({ state, slots, definitions, limits }) => [
        state,
        slots,
        plainArray(definitions),
        limits,
      ]);
      const tenants = part.map(({ tenant }) => tenant);
      await this.ask(announceProcess, tenants, [
        processId,
        name,
        this.lockSession,
        format,
        ...values,
      ]);
      return part.map(() => true as const);
    });
  }

  /** By index. Undefined as for an announcement. */
  withdraw(processId: string, tenants: readonly TenantHandle[]): Promise<(true | undefined)[]> {
    return this.inParts(tenants, async (part) => {
      await this.ask(withdrawProcess, part, [processId]);
      return part.map(() => true as const);
    });
  }

  /** All leases in the tenants' schemas, by index. Undefined if the schema is broken. */
  leases(tenants: readonly TenantHandle[]): Promise<(LeaseRow[] | undefined)[]> {
    return this.inParts(tenants, async (part) => {
      const leases = await this.ask(readLeases, part);
      return part.map((_, i) => leases.filter(({ tenant }) => tenant === i));
    });
  }

  /** By index: whether the tenant has executions in which tasks may run. Undefined if the schema is broken. */
  underWay(tenants: readonly TenantHandle[]): Promise<(boolean | undefined)[]> {
    return this.inParts(tenants, async (part) => {
      const found = new Set((await this.ask(readUnderWay, part)).map(({ tenant }) => tenant));
      return part.map((_, i) => found.has(i));
    });
  }

  /** Reads everything that is read regularly of all tenants. */
  async sweep(tenants: readonly TenantHandle[], withLocks = false): Promise<SweepResult> {
    const readsLocks = withLocks && this.epoch !== null;
    let living: LivingLocks | undefined;
    const found = await this.inParts(tenants, async (part) => {
      const rows = await this.ask(readsLocks ? readSweepAndLocks : readSweep, part);
      const sweep = sweepResultOf(rows, part.length);
      for (const [i, tenant] of part.entries()) {
        const { messages, schedules, limits } = tablesOf(tenant);
        messages.swept(sweep.sweeps[i]?.hasMessages === true);
        schedules.swept(sweep.sweeps[i]?.hasSchedules === true);
        limits.tasks.swept(sweep.sweeps[i]?.looksForLimited === true);
      }
      if (readsLocks) ({ living } = sweep);
      return sweep.sweeps;
    });
    return { tenants: await this.withDueTimes(tenants, found), living };
  }

  /**
   * Reads further due times of tenants whose first item may stay due, because later items would be hidden behind it.
   */
  private async withDueTimes(
    tenants: readonly TenantHandle[],
    sweeps: readonly (RawSweep | undefined)[],
  ): Promise<(TenantSweep | undefined)[]> {
    const stays = ({ kind, inMs }: DueTime): boolean => inMs <= 0 && mayStayDue(kind);
    const asked = sweeps.map((sweep) => sweep?.due.some(stays) === true);
    const times = await this.dueTimes(tenants.filter((_, i) => asked[i] === true));
    return sweeps.map(
      (sweep, i) =>
        sweep && {
          leases: sweep.leases,
          unleased: sweep.unleased,
          schemaId: sweep.schemaId,
          fingerprint: sweep.fingerprint,
          due: (asked[i] === true ? times.shift() : undefined) ?? sweep.due,
        },
    );
  }

  /** The encoding of the database. In any other than UTF8, some texts can't be stored. */
  async encoding(): Promise<string> {
    const [row] = await this.run("SELECT current_setting('server_encoding')", []);
    return row?.[0] ?? '';
  }

  /** Number of connections that the server has for ordinary roles. */
  async usableConnections(): Promise<number> {
    const [row] = await this.run(
      `SELECT current_setting('max_connections')::integer - current_setting('superuser_reserved_connections')::integer
              - coalesce(current_setting('reserved_connections', true)::integer, 0)`,
      [],
    );
    return Number(row?.[0]);
  }

  async livingLocks(): Promise<LivingLocks> {
    return livingLocksOf(await this.ask(readLivingLocks, []));
  }

  /**
   * Selects the leases whose process may have an idle connection. Its socket is open, so the process or at least its host
   * lives.
   *
   * A busy backend proves nothing, because it looks at its socket only when it has something to send. The exception is a
   * backend that holds a liveness lock: a process that has just reconnected has a new lock, while its leases name the old
   * one. The server doesn't show whether connections of other roles are idle, so all of them count.
   *
   * Any session can use any application_name. So a connection counts only if it has the login that the lease names.
   */
  async connected<T extends LeaseProcess>(leases: readonly T[]): Promise<Set<T>> {
    const rows = await this.run(
      `SELECT DISTINCT a.application_name, a.usename FROM pg_catalog.pg_stat_activity a
       WHERE a.application_name LIKE $1::text || '%'
         AND (a.state IS NULL OR a.state NOT IN ('active', 'fastpath function call') OR EXISTS (
           SELECT FROM pg_catalog.pg_locks k WHERE ${heldLocks(LIVENESS_LOCK_CLASS)} AND k.pid = a.pid))`,
      [APPLICATION_PREFIX],
    );
    const found = new Set(rows.map(([name, login]) => `${name} ${login}`));
    return new Set(
      leases.filter(({ processId, login }) =>
        found.has(`${APPLICATION_PREFIX}${processId} ${login}`),
      ),
    );
  }

  /** Terminates the connections of a dead process, as far as the login may, which also releases their locks. */
  async terminate({ processId, login }: LeaseProcess): Promise<void> {
    await this.run(
      `SELECT pg_catalog.pg_terminate_backend(a.pid) FROM pg_catalog.pg_stat_activity a
       WHERE a.application_name = $1::text AND a.usename = $2::name AND a.pid <> pg_catalog.pg_backend_pid()`,
      [`${APPLICATION_PREFIX}${processId}`, login],
    );
  }
}
