import type pg from 'pg';
import { runUnprepared } from '../tenant-statements.js';
import { failureKind } from '../classify-failure.js';
import type { RawRow } from '../statements/columns.js';
import { releaseLeases, renewLeases } from '../statements/leases.js';
import { readLeases } from '../statements/recovery.js';
import { heldLocks, LIVENESS_LOCK_CLASS, readLivingLocks } from '../statements/liveness-locks.js';
import { readSweep, readSweepAndLocks, sweepResultOf, type RawSweep } from '../statements/sweep.js';
import { type BulkStatement, tablesOf } from '../statements/statement.js';
import { mayStayDue } from '../statements/wake-up-kinds.js';
import { CHANNEL, dueTimesOf, notifyAll, readDueTimes } from '../statements/wake-ups.js';
import type {
  DueTime,
  HeldLease,
  LeaseRow,
  SweepResult,
  TenantHandle,
  TenantSweep,
} from '../../port/index.js';

/** Schemas to one statement: enough to make round trips rare, few enough to plan in a millisecond or two. */
const SCHEMAS_PER_STATEMENT = 50;

/** What `application_name` begins with on every connection of the library; the process's id follows. */
export const APPLICATION_PREFIX = 'cloacina:';

/** The owner of a lease: the process, and the role that it logs in as. */
export type LeaseProcess = Pick<LeaseRow, 'processId' | 'login'>;

/**
 * What is asked for all tenants of a process at once, on the control connection or, without one, on the pool.
 *
 * Many tenants share a statement, and must not share its failure: a schema that is broken or locked is found by
 * halves, and is left out.
 */
export abstract class SessionStatements {
  /** The life of the server in which this session holds its lock; null when it holds none. */
  abstract readonly epoch: string | null;
  /** That lock: its key and the backend. */
  abstract readonly lockSession: string | null;

  constructor(private readonly client: Pick<pg.Pool, 'query'> | pg.ClientBase) {}

  protected run(text: string, values: readonly unknown[]): Promise<readonly RawRow[]> {
    return runUnprepared(this.client, text, values);
  }

  /** Before all that waits: a lease that isn't renewed in time is taken for a dead process's. */
  protected runFirst(text: string, values: readonly unknown[]): Promise<readonly RawRow[]> {
    return this.run(text, values);
  }

  async notify(payloads: readonly string[]): Promise<void> {
    await this.ask(notifyAll, [], [CHANNEL, payloads]);
  }

  /** By index: whether the lease was still there; undefined where the schema is broken. */
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

  /** Deletes leases. By index: whether it is gone; false where claims are held; undefined where the schema is broken. */
  release(leases: readonly HeldLease[]): Promise<(boolean | undefined)[]> {
    return this.inParts(leases, async (part) => {
      const tenants = part.map(({ tenant }) => tenant);
      const instances = part.map(({ instanceId }) => instanceId);
      const [row] = await this.ask(releaseLeases, tenants, instances);
      return part.map((_, i) => row?.counts[i] === 0);
    });
  }

  /** By index; undefined where the schema is broken. */
  dueTimes(tenants: readonly TenantHandle[]): Promise<(readonly DueTime[] | undefined)[]> {
    return this.inParts(tenants, async (part) =>
      dueTimesOf(await this.ask(readDueTimes, part), part.length),
    );
  }

  /** All leases in the tenants' schemas, by index; undefined where the schema is broken. */
  leases(tenants: readonly TenantHandle[]): Promise<(LeaseRow[] | undefined)[]> {
    return this.inParts(tenants, async (part) => {
      const leases = await this.ask(readLeases, part);
      return part.map((_, i) => leases.filter(({ tenant }) => tenant === i));
    });
  }

  /** All that is asked regularly of all tenants. */
  async sweep(tenants: readonly TenantHandle[]): Promise<SweepResult> {
    const withLocks = this.epoch !== null;
    let living: Set<string> | undefined;
    const found = await this.inParts(tenants, async (part) => {
      const rows = await this.ask(withLocks ? readSweepAndLocks : readSweep, part);
      const sweep = sweepResultOf(rows, part.length);
      if (withLocks) ({ living } = sweep);
      return sweep.sweeps;
    });
    return { tenants: await this.withDueTimes(tenants, found), living };
  }

  /** Behind what stays due there may be others that are not. */
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
          due: (asked[i] === true ? times.shift() : undefined) ?? sweep.due,
        },
    );
  }

  /** How the database encodes text. In anything but UTF8 some texts can't be stored. */
  async encoding(): Promise<string> {
    const [row] = await this.run("SELECT current_setting('server_encoding')", []);
    return row?.[0] ?? '';
  }

  /** The locks that are held, as leases tell them: who lives. */
  async livingLocks(): Promise<Set<string>> {
    const rows = await this.ask(readLivingLocks, []);
    return new Set(rows.map(({ session }) => session));
  }

  /**
   * Those of the leases whose process may have an idle connection. Its socket is open, so the process or at least its
   * host is there; a backend that is busy proves nothing, since it looks at its socket only when it has something to say.
   * It does if it holds a lock of the class: a process that has just come back has a new one, and its leases tell the old.
   * Of other roles' connections the server doesn't tell whether they are idle, so they may be. Any session can call
   * itself anything: only under the login that the lease tells, it is its process's.
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

  /** Ends what a dead process's connections still do, and the locks they hold, where the login may. */
  async terminate({ processId, login }: LeaseProcess): Promise<void> {
    await this.run(
      `SELECT pg_catalog.pg_terminate_backend(a.pid) FROM pg_catalog.pg_stat_activity a
       WHERE a.application_name = $1::text AND a.usename = $2::name AND a.pid <> pg_catalog.pg_backend_pid()`,
      [`${APPLICATION_PREFIX}${processId}`, login],
    );
  }

  private async ask<R>(
    statement: BulkStatement<R>,
    tenants: readonly TenantHandle[],
    values: readonly unknown[] = [],
  ): Promise<R[]> {
    return statement.columns.decode(
      await this.run(statement.textFor(tenants.map(tablesOf)), values),
    );
  }

  private async inParts<T, R>(
    items: readonly T[],
    send: (part: readonly T[]) => Promise<readonly R[]>,
  ): Promise<(R | undefined)[]> {
    const results: (R | undefined)[] = [];
    for (let i = 0; i < items.length; i += SCHEMAS_PER_STATEMENT) {
      results.push(...(await orInHalves(items.slice(i, i + SCHEMAS_PER_STATEMENT), send)));
    }
    return results;
  }
}

/** By index; undefined for what fails by itself. A connection that fails rejects all of them. */
async function orInHalves<T, R>(
  part: readonly T[],
  send: (part: readonly T[]) => Promise<readonly R[]>,
): Promise<(R | undefined)[]> {
  try {
    return [...(await send(part))];
  } catch (error) {
    if (failureKind(error) === 'connection') throw error;
    if (part.length === 1) return [undefined];
    const middle = part.length >> 1;
    const first = await orInHalves(part.slice(0, middle), send);
    return [...first, ...(await orInHalves(part.slice(middle), send))];
  }
}
