import { readRows } from '../../store/postgres/connections/own-types.js';
import { inWords, type TenantCheck } from '../check.js';

/** How late a firing must be, in ms. */
const LATE_MS = 60_000;

/** Schedules that are broken, that could not fire, or that no process fires. */
export const schedules: TenantCheck = {
  scope: 'tenant',
  id: 'schedules',
  severity: 'error',
  title: 'A schedule does not fire',
  reads: 'rows',
  find: async ({ client, schema, table }) => {
    const rows = await readRows<{
      name: string;
      workflow: string;
      state: string;
      reason: string | null;
      late: number | null;
    }>(
      client,
      `SELECT s.name, s.workflow, s.state, coalesce(s.reason, s.last_error ->> 'message') AS reason,
              CASE WHEN s.state = 'active' AND s.next_at < pg_catalog.clock_timestamp() - $1::integer * interval '1 ms'
                   THEN (extract(epoch FROM pg_catalog.clock_timestamp() - s.next_at) * 1000)::double precision END AS late
         FROM ${table('schedule')} s
        WHERE s.state = 'broken' OR (s.state = 'active' AND s.last_error IS NOT NULL)
           OR (s.state = 'active' AND s.next_at < pg_catalog.clock_timestamp() - $1::integer * interval '1 ms')
        ORDER BY s.name LIMIT 100`,
      [LATE_MS],
    );
    return rows.map(({ name, workflow, state, reason, late }) => ({
      detail:
        `Schema "${schema}": schedule "${name}" of workflow "${workflow}" ` +
        (state === 'broken' || late === null
          ? `${state === 'broken' ? 'is broken' : 'could not fire'}: ${reason ?? 'without a reason'}.`
          : `should have fired ${inWords(late)} ago${reason === null ? '' : `: ${reason}`}.`),
      facts: {
        schedule: name,
        workflow,
        state,
        reason,
        lateMs: late === null ? null : Math.round(late),
      },
    }));
  },
  advice: ({ facts }) =>
    facts['state'] === 'broken' || facts['lateMs'] === null
      ? `Fix the cause that the reason names. A process that has the workflow "${String(facts['workflow'])}" then continues the schedule by itself.`
      : `Start a process that serves the tenant and has the workflow "${String(facts['workflow'])}".`,
};
