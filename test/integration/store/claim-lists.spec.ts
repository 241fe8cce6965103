import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import type { Claimant, CompletionResult } from '../../../lib/store/port/index.js';
import { noteClaim } from '../../conformance/last-token.js';
import { newClaimant, noLease, outcomeOf, startOf, workflow } from '../../conformance/workflows.js';
import { openTenant, queryIn } from '../../support/open-tenant.js';
import { freshSchema } from '../../support/postgres.js';
import { openStore, type OpenStore } from './open-store.js';

const chain = workflow([[], [0], [1]]);
let open: OpenStore;
beforeAll(async () => {
  open = await openStore();
});
afterAll(() => open.close());

/** The tasks in each list of a process, oldest list first. */
async function listsOf({ instanceId }: Claimant): Promise<number[][]> {
  const { rows } = await open.admin.query<{ tasks: number[] }>(
    `SELECT task_nos AS tasks FROM ${open.tables.claimBatch} WHERE instance_id = $1 ORDER BY no`,
    [instanceId],
  );
  return rows.map(({ tasks }) => tasks);
}

/** Records an outcome of an execution's task, and notes the token of the claim that follows. */
async function complete(claimant: Claimant, id: string, taskNo: number): Promise<CompletionResult> {
  const reply = await open.store.complete([outcomeOf(chain, id, taskNo)], noLease(claimant));
  for (const one of reply.readied) noteClaim(id, one.taskNo, one.token);
  return reply;
}

describe('the list of a statement that claimed', () => {
  test('is deleted by the next outcomes when all its claims have ended', async () => {
    const claimant = newClaimant();
    const item = startOf(chain);
    const started = await open.store.start([item], noLease(claimant), false);
    expect(await listsOf(claimant)).toEqual([[0]]);
    const first = await complete(claimant, item.id, 0);
    started.batch?.claimEnded();
    expect(await listsOf(claimant)).toEqual([[0], [1]]);
    await complete(claimant, item.id, 1);
    first.batch?.claimEnded();
    expect(await listsOf(claimant)).toEqual([[1], [2]]);
  });

  test('is deleted later if the statement that should delete it fails', async () => {
    const claimant = newClaimant();
    const item = startOf(chain);
    const started = await open.store.start([item], noLease(claimant), false);
    const first = await complete(claimant, item.id, 0);
    started.batch?.claimEnded();
    const broken = outcomeOf(chain, item.id, 1, { output: '{"a":"\\u0000"' });
    await expect(open.store.complete([broken], noLease(claimant))).rejects.toThrow();
    expect(await listsOf(claimant)).toEqual([[0], [1]]);
    await complete(claimant, item.id, 1);
    first.batch?.claimEnded();
    expect(await listsOf(claimant)).toEqual([[1], [2]]);
  });

  test('stays while one of its claims has not ended, and while an end is not certain', async () => {
    const claimant = newClaimant();
    const items = [startOf(chain), startOf(chain)];
    const { batch } = await open.store.start(items, noLease(claimant), false);
    batch?.claimEnded();
    const [one, two] = items.map(({ id }) => outcomeOf(chain, id, 0));
    await open.store.complete([one!], noLease(claimant));
    expect((await listsOf(claimant))[0]).toEqual([0, 0]);
    await open.store.complete([two!], noLease(claimant));
    expect((await listsOf(claimant))[0]).toEqual([0, 0]);
    await open.store.forgetEnded(claimant.instanceId);
    expect(await listsOf(claimant)).toEqual([[1], [1]]);
  });

  test('stays if a claim is still in its row, although the process knows of its end', async () => {
    const claimant = newClaimant();
    const [lost, other] = [startOf(chain), startOf(chain)];
    const { batch } = await open.store.start([lost], noLease(claimant), false);
    await open.store.start([other], noLease(claimant), false);
    // As after a failover to a server that has not received the outcome.
    batch?.claimEnded();
    await complete(claimant, other.id, 0);
    expect(await listsOf(claimant)).toEqual([[0], [0], [1]]);
  });

  test('is forgotten with the lease, or by the recovery that took its claims', async () => {
    const [claimant, dead] = [newClaimant(), newClaimant()];
    for (const one of [claimant, dead]) {
      const item = startOf(workflow([[]]));
      await open.store.start([item], { claimant: one, write: true }, false);
      if (one === claimant)
        await open.store.complete([outcomeOf(workflow([[]]), item.id, 0)], noLease(one));
    }
    expect(await open.store.releaseLease(claimant.instanceId)).toBe(true);
    expect(await listsOf(claimant)).toEqual([]);
    await open.store.recovery.endLease(dead.instanceId, 'former');
    const how = { limit: 10, maxRecoveryAttempts: 3, cause: 'lockGone', orphanedForMs: 0 };
    await open.store.recovery.takeOrphans(dead.instanceId, how, noLease());
    expect(await listsOf(dead)).toEqual([]);
  });
});

describe('claims and outcomes of a chain', () => {
  /** How many updates of tasks a chain takes, and how many of them stay on their page. */
  async function updates(prepare = ''): Promise<{ all: number; hot: number }> {
    const session = await open.connect();
    await session.begin();
    if (prepare !== '') await session.client.query(prepare);
    const id = await session.startOne(chain);
    for (const taskNo of [0, 1, 2]) await session.complete([outcomeOf(chain, id, taskNo)]);
    const { rows } = await session.client.query<{ all: number; hot: number }>(
      `SELECT pg_stat_get_xact_tuples_updated(t)::integer AS all,
              pg_stat_get_xact_tuples_hot_updated(t)::integer AS hot
       FROM (SELECT '${open.tables.task}'::regclass::oid AS t) r`,
    );
    await session.rollback();
    return rows[0]!;
  }

  test('stay on their page', async () => {
    expect(await updates()).toEqual({ all: 5, hot: 5 });
  });

  test('would not with an index on the owner', async () => {
    const index = `CREATE INDEX ON ${open.tables.task} (owner) WHERE status = 'Running'`;
    expect(await updates(index)).toEqual({ all: 5, hot: 0 });
  });
});

test('no list is left when the application has ended, whatever became of its claims', async () => {
  const schema = freshSchema();
  const failed = new Set<string>();
  const flow = defineWorkflow('flow')
    .task(
      'fails-once',
      { retry: { maxAttempts: 2, delay: 1, retryIf: () => true } },
      ({ executionId }) => {
        if (failed.has(executionId)) return;
        failed.add(executionId);
        throw new Error('once');
      },
    )
    .task('in-transaction', { dependsOn: ['fails-once'], transactional: true }, () => undefined)
    .task('last', { dependsOn: ['in-transaction'] }, () => undefined)
    .build();
  const tenant = await openTenant([flow], { schema });
  await Promise.all(Array.from({ length: 20 }, () => tenant.runner.execute(flow)));
  await tenant.close();
  expect(await queryIn(schema, 'SELECT FROM cloacina_claim_batch')).toEqual([]);
});
