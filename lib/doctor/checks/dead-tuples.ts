import { readRows } from '../../store/postgres/connections/own-types.js';
import { quoteIdentifier } from '../../tenants/quote-identifier.js';
import { inWords, type TenantCheck } from '../check.js';

/** Fewer dead rows than this cost nothing. */
const MANY = 10_000;

/** Tables of which more than half of the rows are dead, and tables that autovacuum leaves out. */
export const deadTuples: TenantCheck = {
  scope: 'tenant',
  id: 'dead-tuples',
  severity: 'warning',
  title: 'Dead rows are not vacuumed away',
  reads: 'catalog',
  find: async ({ client, schema }) => {
    const rows = await readRows<{
      table: string;
      dead: number;
      live: number;
      off: boolean;
      ago: number | null;
    }>(
      client,
      `SELECT c.relname::text AS table, s.n_dead_tup::double precision AS dead, s.n_live_tup::double precision AS live,
              coalesce('autovacuum_enabled=false' = ANY (c.reloptions) OR 'autovacuum_enabled=off' = ANY (c.reloptions), false) AS off,
              (extract(epoch FROM pg_catalog.clock_timestamp() - greatest(s.last_vacuum, s.last_autovacuum)) * 1000)::double precision AS ago
         FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
         JOIN pg_catalog.pg_stat_all_tables s ON s.relid = c.oid
        WHERE n.nspname = $1 AND c.relkind = 'r' AND c.relname LIKE 'cloacina\\_%' ORDER BY c.relname`,
      [schema],
    );
    return rows
      .filter(({ dead, live, off }) => off || (dead > MANY && dead > live))
      .map(({ table, dead, live, off, ago }) => ({
        detail:
          `Table ${schema}.${table} has ${dead.toLocaleString('en')} dead and ${live.toLocaleString('en')} live rows` +
          `${off ? ', and autovacuum is off for it' : ''}; its last vacuum ${ago === null ? 'is not known' : `was ${inWords(ago)} ago`}.`,
        facts: {
          table: `${quoteIdentifier(schema)}.${table}`,
          dead,
          live,
          autovacuumOff: off,
          vacuumedAgoMs: ago === null ? null : Math.round(ago),
        },
      }));
  },
  advice: ({ facts }) =>
    (facts['autovacuumOff'] === true
      ? `ALTER TABLE ${String(facts['table'])} RESET (autovacuum_enabled); `
      : '') +
    `VACUUM ${String(facts['table'])}; If the rows come back, look for old transactions, and give autovacuum more to do at once (autovacuum_vacuum_cost_limit, autovacuum_max_workers).`,
};
