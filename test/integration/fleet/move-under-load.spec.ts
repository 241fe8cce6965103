import { expect, test } from '@jest/globals';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import type { WorkflowDefinition } from '../../../lib/discovery/workflow-builder.js';
import { TablesMissingError } from '../../../lib/errors/index.js';
import { gate } from '../../support/gate.js';
import { openTenant, queryIn } from '../../support/open-tenant.js';
import { freshSchema } from '../../support/postgres.js';
import { waitFor } from '../../support/wait-for.js';

/** Of a machine that has other things to do. */
const BUSY = { deadline: 60_000 };

const waiting = (): WorkflowDefinition =>
  defineWorkflow('waiting')
    .task('only', () => ({ done: true }))
    .build();

/** A client that was not stopped, and who moves the schema under it. */
async function clientAndMover() {
  const schema = freshSchema('loaded');
  const target = `${schema}_moved`;
  const client = await openTenant([waiting()], { schema, maxConcurrentTasks: 0 });
  const mover = await openTenant([waiting()], { schema, maxConcurrentTasks: 0 });
  await mover.runner.shutdown();
  return { schema, target, client, mover };
}

function executionsIn(schema: string): Promise<{ id: string }[]> {
  return queryIn<{ id: string }>(schema, 'SELECT id FROM cloacina_workflow_execution ORDER BY id');
}

test('each start at the moment of the move is stored and moved, or refused and not stored', async () => {
  const { schema, target, client, mover } = await clientAndMover();
  const accepted: string[] = [];
  const refused: unknown[] = [];
  const starting = Array.from({ length: 8 }, async (_, lane) => {
    for (let n = 0; refused.length < 8; n++) {
      const options = lane % 2 === 0 ? {} : { idempotencyKey: `${lane}-${n}` };
      try {
        accepted.push((await client.runner.start('waiting', { n }, options)).id);
      } catch (error) {
        refused.push(error);
        return;
      }
    }
  });
  await waitFor(() => accepted.length > 300, BUSY);

  await mover.migrator.moveTo(target);
  await Promise.all(starting);

  const stored = await executionsIn(target);
  expect(stored.map(({ id }) => id)).toEqual(accepted.sort());
  expect(refused.length).toBeGreaterThanOrEqual(8);
  for (const error of refused) {
    expect(error).toBeInstanceOf(TablesMissingError);
    expect(String(error)).toContain(schema);
  }
  const left = await queryIn(
    schema,
    'SELECT 1 FROM pg_class WHERE relnamespace = $1::regnamespace',
    [schema],
  );
  expect(left).toEqual([]);

  const worker = await openTenant([waiting()], { schema: target });
  for (const id of accepted.slice(-5)) {
    expect(await worker.runner.handle(id).result({ timeout: '60s' })).toMatchObject({
      status: 'Completed',
    });
  }
}, 180_000);

test('a start inside a transaction that is open then is moved with the rest', async () => {
  const { schema, target, client, mover } = await clientAndMover();
  const commit = gate();
  const started = gate<string>();
  const transaction = client.dataSource.transaction(async (manager) => {
    started.open((await client.runner.start('waiting', {}, { manager })).id);
    await commit.passed;
  });
  const id = await started.passed;
  const moving = mover.migrator.moveTo(target);
  await waitFor(async () => {
    const waits = await queryIn(
      schema,
      `SELECT 1 FROM pg_locks l JOIN pg_class c ON c.oid = l.relation
        WHERE NOT l.granted AND l.mode = 'AccessExclusiveLock' AND c.relnamespace = $1::regnamespace`,
      [schema],
    );
    return waits.length > 0;
  }, BUSY);
  commit.open();
  await transaction;
  await moving;
  expect(await executionsIn(target)).toEqual([{ id }]);
});
