import { expect, test } from '@jest/globals';
import { startChild } from '../support/child-process.js';
import { openTenant, type OpenTenant } from '../support/open-tenant.js';
import { freshSchema } from '../support/postgres.js';
import { waitFor } from '../support/wait-for.js';
import { report } from './workload/scene.js';
import { STATEMENTS, type Failpoint } from './workload/failpoints.js';
import { tree, treeSize } from './tree/tree.js';
import type { TreeSettings } from './tree/tree-process.js';

/** 10,101 executions, or with `FAULTS=short` 421. */
const WIDTH = process.env['FAULTS'] === 'short' ? 20 : 100;
const SIZE = treeSize(WIDTH);
const SCRIPT = new URL('tree/tree-process.ts', import.meta.url);

/** A tree of which every leaf waits. */
async function grown(): Promise<{ readonly tenant: OpenTenant; readonly id: string }> {
  const tenant = await openTenant(tree(WIDTH), {
    schema: freshSchema(),
    maxConcurrentTasks: 100,
    processTasks: 100,
  });
  const { id } = await tenant.runner.start('root');
  await waitFor(async () => (await counted(tenant, `t.status = 'Waiting'`)) === SIZE, {
    deadline: 180_000,
    every: 100,
    what: 'the tree',
  });
  return { tenant, id };
}

async function counted({ query }: OpenTenant, condition: string): Promise<number> {
  const [row] = await query<{ n: number }>(
    `SELECT count(*)::integer AS n
     FROM cloacina_workflow_execution x JOIN cloacina_task_execution t ON t.execution_id = x.id WHERE ${condition}`,
  );
  return row?.n ?? 0;
}

/** Every execution is ended once, and none has anything left to tell. */
async function expectCancelled(tenant: OpenTenant): Promise<void> {
  const isOver = `x.status = 'Cancelled' AND t.status = 'Cancelled' AND x.unsettled = 0 AND NOT t.paused AND t.owner IS NULL`;
  await waitFor(async () => (await counted(tenant, isOver)) === SIZE, {
    deadline: 120_000,
    every: 50,
    what: `${SIZE} cancelled executions`,
  });
  const events = await tenant.query(
    `SELECT execution_id FROM cloacina_execution_event WHERE kind = 'cancelled' AND task_no IS NULL
     GROUP BY 1 HAVING count(*) = 1`,
  );
  expect(events).toHaveLength(SIZE);
}

test(`A tree of ${SIZE} is cancelled by one call`, async () => {
  const { tenant, id } = await grown();
  const began = performance.now();
  await tenant.runner.cancel(id, { reason: 'enough' });
  const returnedMs = Math.round(performance.now() - began);
  await expectCancelled(tenant);
  const endedMs = Math.round(performance.now() - began);
  report(`cancel of a tree of ${SIZE}`, { returnedMs, endedMs });
}, 300_000);

const POINTS: [string, Failpoint][] = [
  ['after the root', { at: 'before', statement: STATEMENTS.endChildren }],
  ['in the middle', { at: 'sent', statement: STATEMENTS.endChildren, skip: WIDTH / 2 }],
  ['after a page', { at: 'after', statement: STATEMENTS.endChildren, skip: WIDTH / 4 }],
];
test.each(POINTS)(
  `A cancel of a tree of ${SIZE} that is killed %s is finished by another process`,
  async (when, failpoint) => {
    const { tenant, id } = await grown();
    const settings: TreeSettings = { schema: tenant.schema, width: WIDTH, cancel: id, failpoint };
    const victim = startChild(SCRIPT, { env: { TREE: JSON.stringify(settings) } });
    expect(await victim.exit).toMatchObject({ signal: 'SIGKILL' });
    const left = SIZE - (await counted(tenant, `x.status = 'Cancelled'`));
    const began = performance.now();
    await expectCancelled(tenant);
    const finishedMs = Math.round(performance.now() - began);
    report(`killed ${when}`, { left, finishedMs });
  },
  300_000,
);
