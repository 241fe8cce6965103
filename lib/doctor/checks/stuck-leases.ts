import { readRows } from '../../store/postgres/connections/own-types.js';
import { counted, inWords, type TenantCheck } from '../check.js';

/** How long ago a lease must have expired, in ms. A process that recovers looks more often than this. */
const GRACE_MS = 60_000;

/** Leases that have expired and that no process has ended. */
export const stuckLeases: TenantCheck = {
  scope: 'tenant',
  id: 'stuck-leases',
  severity: 'error',
  title: 'A lost process is not recovered',
  reads: 'rows',
  find: async ({ client, schema, table }) => {
    const rows = await readRows<{
      name: string | null;
      instance: string;
      over: number;
      claims: number;
    }>(
      client,
      `SELECT l.name, l.instance_id::text AS instance,
              (extract(epoch FROM pg_catalog.clock_timestamp() - l.expires_at) * 1000)::double precision AS over,
              (SELECT coalesce(sum(cardinality(b.execution_ids)), 0)::integer FROM ${table('claim_batch')} b
                WHERE b.instance_id = l.instance_id) AS claims
         FROM ${table('runner_lease')} l
        WHERE l.expires_at < pg_catalog.clock_timestamp() - $1::integer * interval '1 ms'
        ORDER BY l.expires_at LIMIT 100`,
      [GRACE_MS],
    );
    return rows.map(({ name, instance, over, claims }) => ({
      detail: `Schema "${schema}": the lease of process ${name ?? instance} expired ${inWords(over)} ago, with up to ${counted(claims, 'claim')}.`,
      facts: { process: name, instance, expiredForMs: Math.round(over), claims },
    }));
  },
  advice: (_found, schema) =>
    `No process recovers the tenant. Start one that serves it with enableRecovery, or run "npx nestjs-cloacina recovery run --schema ${schema}".`,
};
