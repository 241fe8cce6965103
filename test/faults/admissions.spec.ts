import { expect, test } from '@jest/globals';
import {
  admitted,
  auditAdmissions,
  BATCH_SIZE,
  mostAdmitted,
  PER_KEY,
} from '../integration/limits/admitted.js';
import { startChild } from '../support/child-process.js';
import { openTenant } from '../support/open-tenant.js';
import { waitFor } from '../support/wait-for.js';
import type { AdmissionSettings } from './admission/admission-process.js';
import { STATEMENTS, type Failpoint } from './workload/failpoints.js';

const SCRIPT = new URL('admission/admission-process.ts', import.meta.url);
/** Executions of the process that is killed, and of the one that goes on. */
const COUNT = 6;

const DEBOUNCED: [string, Failpoint][] = (['before', 'sent', 'after'] as const).map((at) => [
  at,
  { at, statement: STATEMENTS.debounce },
]);

const BATCHED = (['before', 'sent', 'after'] as const).map(
  (at): ['before' | 'sent' | 'after', Failpoint] => [at, { at, statement: STATEMENTS.batch }],
);

const POINTS: [string, Failpoint][] = (['start', 'admit'] as const).flatMap((name) => {
  const statement = STATEMENTS[name === 'start' ? 'startAdmitted' : 'admit'];
  return [
    [`before it sends the ${name}`, { at: 'before', statement }],
    [`while its ${name} is committed`, { at: 'sent', statement }],
    [`after its ${name}`, { at: 'after', statement }],
    [`before a later ${name}`, { at: 'before', statement, skip: name === 'start' ? 0 : 2 }],
    [`after a later ${name}`, { at: 'after', statement, skip: name === 'start' ? 0 : 2 }],
  ];
});

test.each(POINTS)(
  'The slots of a process that is killed %s are free for others',
  async (_, failpoint) => {
    const tenant = await openTenant([admitted]);
    await auditAdmissions(tenant);
    const settings: AdmissionSettings = { schema: tenant.schema, count: COUNT, failpoint };
    const victim = startChild(SCRIPT, { env: { ADMISSION: JSON.stringify(settings) } });
    const handles = await Promise.all(
      Array.from({ length: COUNT }, () => tenant.runner.start(admitted, { key: 'k', ms: 1 })),
    );
    expect(await victim.exit).toMatchObject({ signal: 'SIGKILL' });
    await Promise.all(handles.map((handle) => handle.result()));
    const open = async (): Promise<number> => {
      const [row] = await tenant.query<{ n: number }>(
        `SELECT count(*)::integer AS n FROM cloacina_workflow_execution
       WHERE status <> 'Completed' OR unsettled <> 0`,
      );
      return row?.n ?? 0;
    };
    await waitFor(async () => (await open()) === 0, {
      deadline: 60_000,
      every: 50,
      what: 'the executions of the process that was killed',
    });
    expect(await mostAdmitted(tenant)).toBeLessThanOrEqual(PER_KEY);
  },
  120_000,
);

test.each(DEBOUNCED)(
  'A debounced start that is killed %s leaves none or one execution',
  async (at, failpoint) => {
    const tenant = await openTenant([admitted]);
    const { schema } = tenant;
    const settings: AdmissionSettings = { schema, count: COUNT, failpoint, debounceKey: 'd' };
    const victim = startChild(SCRIPT, { env: { ADMISSION: JSON.stringify(settings) } });
    expect(await victim.exit).toMatchObject({ signal: 'SIGKILL' });
    const debounce = { key: 'd', wait: 1 };
    const last = await tenant.runner.start(admitted, { key: 'k', ms: 2 }, { debounce });
    await last.result();
    const [row] = await tenant.query<{ n: number }>(
      'SELECT count(*)::integer AS n FROM cloacina_workflow_execution',
    );
    // The execution of the start that was killed may have begun before the next start.
    expect(row?.n).toBeLessThanOrEqual(at === 'before' ? 1 : 2);
  },
  120_000,
);

test.each(BATCHED)(
  'A batch whose starter is killed %s has all of its inputs once, or none of them',
  async (at, failpoint) => {
    const tenant = await openTenant([admitted]);
    const { schema } = tenant;
    const settings: AdmissionSettings = { schema, count: COUNT, failpoint, batchKey: 'b' };
    const victim = startChild(SCRIPT, { env: { ADMISSION: JSON.stringify(settings) } });
    expect(await victim.exit).toMatchObject({ signal: 'SIGKILL' });
    const batch = { key: 'b', size: BATCH_SIZE, wait: 1 };
    const last = await tenant.runner.start(admitted, { key: 'k', ms: 2 }, { batch });
    await last.result();
    // What was sent may be committed after the death of its sender.
    const ended = async (): Promise<boolean> =>
      (await tenant.query(`SELECT FROM cloacina_workflow_execution WHERE completed_at IS NULL`))
        .length === 0;
    await waitFor(ended, { what: 'the ends of all batches' });
    const batches = await tenant.query<{ stored: number; counted: number }>(
      `SELECT x.batch_count AS counted, count(s.id)::integer AS stored
       FROM cloacina_workflow_execution x LEFT JOIN cloacina_signal s ON s.execution_id = x.id GROUP BY x.id`,
    );
    let inputs = 0;
    for (const { stored, counted } of batches) {
      expect(stored).toBe(counted);
      expect(stored).toBeLessThanOrEqual(BATCH_SIZE);
      inputs += stored;
    }
    // The first statement fills a batch, and the second one has the rest.
    const possible = { before: [1], sent: [1, 1 + BATCH_SIZE], after: [1 + BATCH_SIZE] };
    expect(possible[at]).toContain(inputs);
  },
  120_000,
);
