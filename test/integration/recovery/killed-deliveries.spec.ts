import { expect, it } from '@jest/globals';
import { startChild } from '../../support/child-process.js';
import { openTenant } from '../../support/open-tenant.js';
import { freshSchema } from '../../support/postgres.js';
import { waitFor } from '../../support/wait-for.js';
import { STATEMENTS, type Failpoint } from '../../faults/workload/failpoints.js';
import { listening } from './bell.js';

const SCRIPT = new URL('bell-worker.ts', import.meta.url);
/** More than two statements wake. */
const LISTENERS = 1_100;

const POINTS: readonly [string, Failpoint][] = [
  ['before its first part', { at: 'before', statement: STATEMENTS.deliver }],
  ['after its first part', { at: 'after', statement: STATEMENTS.deliver }],
  ['within its second part', { at: 'sent', statement: STATEMENTS.deliver, skip: 1 }],
  ['after its second part', { at: 'after', statement: STATEMENTS.deliver, skip: 1 }],
];

it.each(POINTS)(
  'An event that very many wait for reaches all, although its sender is killed %s',
  async (_, failpoint) => {
    const schema = freshSchema();
    const workflow = listening();
    const tenant = await openTenant([workflow], { schema, maxConcurrentTasks: 100 });
    const { runner, query, engine } = tenant;
    const countOf = async (text: string): Promise<number> =>
      (await query<{ n: number }>(`SELECT count(*)::integer AS n FROM ${text}`))[0]?.n ?? 0;
    const inputs = Array.from({ length: LISTENERS }, () => ({}));
    await runner.startMany(workflow, inputs);
    await waitFor(
      async () =>
        (await countOf(`cloacina_task_execution WHERE status = 'Waiting' AND run_at IS NULL`)) ===
        LISTENERS,
      { what: 'the waits' },
    );
    const victim = startChild(SCRIPT, {
      env: { SCHEMA: schema, FAILPOINT: JSON.stringify(failpoint) },
    });
    expect(await victim.end()).toMatchObject({ signal: 'SIGKILL' });
    expect(await countOf('cloacina_signal WHERE NOT delivered')).toBe(1);
    engine.deliverMessages();
    await waitFor(
      async () =>
        (await countOf(`cloacina_workflow_execution WHERE status = 'Completed'`)) === LISTENERS,
      { what: 'the ends' },
    );
    expect(await countOf(`cloacina_task_step WHERE status = 'Done'`)).toBe(LISTENERS);
    expect(await countOf('cloacina_signal WHERE NOT delivered OR delivery IS NOT NULL')).toBe(0);
    // Each was woken once, and did not look in vain.
    expect(await countOf('cloacina_task_execution WHERE wakes <> 1')).toBe(0);
  },
);
