import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { defineWorkflow } from '../../lib/discovery/define-workflow.js';
import { InvalidTransitionError, NonRetryableError } from '../../lib/errors/index.js';
import { openTenant, type OpenTenant } from '../support/open-tenant.js';
import { connectAdmin, freshSchema } from '../support/postgres.js';
import { waitFor } from '../support/wait-for.js';
import { auditEnds, doubledEnds, mapRow } from './maps/map-audit.js';
import { pick, randomFrom, seedOfRun } from './workload/random.js';

const SHORT = process.env['FAULTS'] === 'short';
const ROUNDS = SHORT ? 6 : 40;
const ITEMS = 200;
const PROCESSES = 3;
const CANCELLED = 'Cancelled';

const random = randomFrom(seedOfRun());
/** The number of handlers of items that have returned in this round. */
let returned = 0;
/** The item whose handler throws. */
let failing: number | undefined;

const raced = defineWorkflow('raced')
  .map(
    'each',
    { items: () => Array.from({ length: ITEMS }, (_, n) => n), onItemFailure: 'failFast' },
    async ({ item }) => {
      for (let turns = Math.floor(random() * 4); turns > 0; turns--) {
        await new Promise((resolve) => setImmediate(resolve));
      }
      if (item === failing) throw new NonRetryableError('as planned');
      returned++;
      return item;
    },
  )
  .task('join', { dependsOn: ['each'] }, async (context) => {
    let sum = 0;
    for await (const { value } of context.results<number>('each')) sum += value ?? 0;
    return { sum };
  })
  .build();

let tenants: readonly OpenTenant[];
let tenant: OpenTenant;
beforeEach(async () => {
  [returned, failing] = [0, undefined];
  const options = { schema: freshSchema(), maxConcurrentTasks: 10 };
  tenant = await openTenant([raced], options);
  tenants = [tenant];
  for (let n = 1; n < PROCESSES; n++) tenants = [...tenants, await openTenant([raced], options)];
  await auditEnds(tenant);
});
afterEach(() => Promise.all(tenants.map((one) => one.close())));

/** Waits for a random number of further handlers to return, or for the end of the execution. */
async function someEnds(id: string): Promise<void> {
  const enough = returned + Math.floor((random() * ITEMS) / 2);
  const isOver = async (): Promise<boolean> =>
    ['Completed', 'Failed', 'Cancelled'].includes((await tenant.runner.handle(id).status()) ?? '');
  await waitFor(async () => returned >= enough || (await isOver()), { every: 1, what: 'items' });
}

/** Controls the execution from one of the processes. It may have ended before. */
async function control(work: (runner: OpenTenant['runner']) => Promise<unknown>): Promise<void> {
  await work(pick(random, tenants).runner).catch((error: unknown) => {
    if (!(error instanceof InvalidTransitionError)) throw error;
  });
}

async function joinStatus(id: string): Promise<string | undefined> {
  const [row] = await tenant.query<{ status: string }>(
    'SELECT status FROM cloacina_task_execution WHERE execution_id = $1 AND task_no = 1',
    [id],
  );
  return row?.status;
}

/** Resolves when this number of sessions waits for a lock. */
function waiting(count: number): Promise<unknown> {
  const text = `SELECT FROM pg_stat_activity
    WHERE datname = current_database() AND state = 'active' AND wait_event_type = 'Lock'`;
  return waitFor(async () => (await tenant.query(text)).length >= count, {
    what: `${count} statements that wait for a lock`,
  });
}

const RACES: Record<string, (id: string) => Promise<void>> = {
  async pause(id) {
    await someEnds(id);
    await control((runner) => runner.pause(id));
    await control((runner) => runner.resume(id));
    await someEnds(id);
  },
  async cancel(id) {
    await someEnds(id);
    await control((runner) => runner.cancel(id));
  },
  async failFast(id) {
    failing = Math.floor(random() * ITEMS);
    await someEnds(id);
  },
  /**
   * Cancels between the end of the map and that of the execution: the end of the map waits for the row of the task behind it,
   * and the cancel for that of the map.
   */
  async 'late cancel'(id) {
    failing = Math.floor(random() * ITEMS);
    const keeper = await connectAdmin();
    try {
      await keeper.query('BEGIN');
      await keeper.query(
        `SELECT FROM "${tenant.schema}".cloacina_task_execution WHERE execution_id = $1 AND task_no = 1 FOR UPDATE`,
        [id],
      );
      await waiting(1);
      const cancelled = control((runner) => runner.cancel(id));
      await waiting(2);
      await keeper.query('COMMIT');
      await cancelled;
    } finally {
      await keeper.end();
    }
  },
  async all(id) {
    failing = random() < 0.5 ? Math.floor(random() * ITEMS) : undefined;
    await someEnds(id);
    await Promise.all([
      control((runner) => runner.pause(id)),
      control((runner) => runner.resume(id)),
      control((runner) => runner.cancel(id)),
      control((runner) => runner.pause(id)),
    ]);
    await control((runner) => runner.resume(id));
  },
};

it.each(Object.keys(RACES))(
  '%s raced with the ends of items: each ends once, and a retry completes the map',
  async (name) => {
    for (let round = 0; round < ROUNDS; round++) {
      [returned, failing] = [0, undefined];
      const { id } = await tenant.runner.start(raced);
      await RACES[name]?.(id);
      const { status } = await tenant.runner.handle(id).result({ settled: true });
      const row = await mapRow(tenant, id);
      expect({ round, ...row }).toMatchObject({ open: 0 });
      // The map keeps its end if the execution is cancelled later. The task behind it is Cancelled instead.
      if (row.status !== status)
        expect({ status, join: await joinStatus(id) }).toEqual({
          status: CANCELLED,
          join: CANCELLED,
        });
      if (row.status === 'Failed') expect(row).toMatchObject({ pending: 0, failed: 1 });
      failing = undefined;
      if (status !== 'Completed') await pick(random, tenants).runner.retry(id);
      const { context } = await tenant.runner.handle(id).result();
      expect(context).toEqual({
        each: { total: ITEMS, completed: ITEMS, failed: 0, cancelled: 0 },
        sum: (ITEMS * (ITEMS - 1)) / 2,
      });
      expect(await mapRow(tenant, id)).toMatchObject({
        status: 'Completed',
        pending: 0,
        unmet: 0,
        completed: ITEMS,
      });
      expect(await doubledEnds(tenant)).toEqual([]);
    }
  },
  300_000,
);
