import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { defineWorkflow } from '../../lib/discovery/define-workflow.js';
import { gate, type Gate } from '../support/gate.js';
import { openTenant } from '../support/open-tenant.js';
import { waitFor } from '../support/wait-for.js';
import { FaultyServer } from './server/faulty-server.js';

/** More than one may be on disk by chance, because something else was committed in between. */
const MAX_CRASHES = 5;

let server: FaultyServer;
beforeAll(async () => {
  server = await FaultyServer.start();
  // Otherwise what no commit has waited for is on disk after a fifth of a second.
  await server.configure('wal_writer_delay', '10s');
}, 60_000);
afterAll(() => server.close());

test('A parent is told again when the server crashes and has forgotten that it was told', async () => {
  let childRuns = 0;
  /** What each run of the parent behind its wait does not get past. */
  const resumed: Gate[] = [];
  const child = defineWorkflow('child')
    .task('work', () => ({ n: ++childRuns }))
    .build();
  const parent = defineWorkflow('parent')
    .task('wait', async (context) => {
      const { n } = await context.execute(child, {});
      const one = gate();
      resumed.push(one);
      if (resumed.length === 1) await one.passed;
      return { got: n };
    })
    .build();
  const { runner } = await openTenant([child, parent], {
    databaseUrl: server.url,
    schema: 'lost_tells',
    leaseDurationMs: 4_000,
  });
  let forgotten = 0;
  for (let crash = 0; crash < MAX_CRASHES && forgotten === 0; crash++) {
    resumed.length = 0;
    childRuns = 0;
    const { id } = await runner.start(parent, {});
    await waitFor(() => resumed.length === 1, { every: 1, what: 'the parent behind its wait' });
    await server.restart('immediate');
    const [step] = await server.query<{ status: string }>(
      `SELECT status FROM lost_tells.cloacina_task_step WHERE execution_id = $1`,
      [id],
    );
    if (step?.status === 'Open') forgotten++;
    else resumed[0]?.open();
    const { context } = await runner.handle(id).result();
    expect(context).toMatchObject({ got: 1 });
    expect(childRuns).toBe(1);
    resumed[0]?.open();
  }
  expect(forgotten).toBe(1);
  expect(resumed).toHaveLength(2);
}, 120_000);
