import type pg from 'pg';
import { runUnprepared } from './statement-pool.js';
import { decodeRenewals, renewLeases } from './statements/leases.js';
import { decodeLeases, readLeases, type LeaseRow } from './statements/recovery.js';
import { CHANNEL, decodeDueTimes, NOTIFY, readDueTimes } from './statements/wake-ups.js';
import type { DueTimes, HeldLease, TenantTables } from './store.js';

/** Schemas to one statement: enough to make round trips rare, few enough to plan in a millisecond or two. */
const SCHEMAS_PER_STATEMENT = 50;

/** The class of the advisory locks that say "this process lives". Any constant that nobody else uses. */
export const LIVENESS_LOCK_CLASS = 1_129_072_451;

/** What `application_name` begins with on every connection of the library; the process's id follows. */
export const APPLICATION_PREFIX = 'cloacina:';

/** What is asked for all tenants of a process at once, on the control connection or, without one, on the pool. */
export class SessionStatements {
  constructor(private readonly client: Pick<pg.Pool, 'query'> | pg.ClientBase) {}

  async notify(payloads: readonly string[]): Promise<void> {
    await runUnprepared(this.client, NOTIFY, [CHANNEL, payloads]);
  }

  /** By index: whether the lease was still there. */
  async renew(
    leases: readonly HeldLease[],
    epoch: string | null,
    leaseDurationMs: number,
  ): Promise<boolean[]> {
    const renewed: boolean[] = [];
    for (const part of inParts(leases)) {
      const text = renewLeases(part.map(({ tables }) => tables));
      const values = [epoch, leaseDurationMs, ...part.map(({ instanceId }) => instanceId)];
      renewed.push(...decodeRenewals(await runUnprepared(this.client, text, values)));
    }
    return renewed;
  }

  async dueTimes(tenants: readonly TenantTables[]): Promise<DueTimes[]> {
    const times: DueTimes[] = [];
    for (const part of inParts(tenants)) {
      times.push(...decodeDueTimes(await runUnprepared(this.client, readDueTimes(part), [])));
    }
    return times;
  }

  /** `tenant` of each is its index in `tenants`. */
  async leases(tenants: readonly TenantTables[]): Promise<LeaseRow[]> {
    const leases: LeaseRow[] = [];
    let offset = 0;
    for (const part of inParts(tenants)) {
      for (const lease of decodeLeases(await runUnprepared(this.client, readLeases(part), []))) {
        leases.push({ ...lease, tenant: lease.tenant + offset });
      }
      offset += part.length;
    }
    return leases;
  }

  /** The keys of the locks that are held: who lives. */
  async livingKeys(): Promise<Set<number>> {
    const rows = await runUnprepared(
      this.client,
      `SELECT k.objid::bigint FROM pg_locks k
       WHERE k.locktype = 'advisory' AND k.classid = $1::oid AND k.objsubid = 2 AND k.granted
         AND k.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())`,
      [LIVENESS_LOCK_CLASS],
    );
    return new Set(rows.map((row) => Number(row[0])));
  }

  /**
   * Processes with an idle connection. Its socket is open, so the process or at least its host is there; a backend
   * that is busy proves nothing, since it looks at its socket only when it has something to say.
   */
  async connectedProcesses(): Promise<Set<string>> {
    const rows = await runUnprepared(
      this.client,
      `SELECT DISTINCT substr(a.application_name, $2::integer) FROM pg_stat_activity a
       WHERE a.application_name LIKE $1::text || '%' AND a.state LIKE 'idle%'`,
      [APPLICATION_PREFIX, APPLICATION_PREFIX.length + 1],
    );
    return new Set(rows.map((row) => row[0] ?? ''));
  }

  /** Ends what a dead process's connections still do, and the locks they hold, where the login may. */
  async terminate(processId: string): Promise<void> {
    await runUnprepared(
      this.client,
      `SELECT pg_terminate_backend(a.pid) FROM pg_stat_activity a
       WHERE a.application_name = $1::text AND a.pid <> pg_backend_pid()`,
      [`${APPLICATION_PREFIX}${processId}`],
    );
  }
}

function* inParts<T>(items: readonly T[]): Generator<readonly T[]> {
  for (let i = 0; i < items.length; i += SCHEMAS_PER_STATEMENT) {
    yield items.slice(i, i + SCHEMAS_PER_STATEMENT);
  }
}
