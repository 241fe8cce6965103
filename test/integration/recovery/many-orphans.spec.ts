import { expect, it } from '@jest/globals';
import { listClaims } from '../../support/list-claims.js';
import { queryIn } from '../../support/open-tenant.js';
import { freshSchema } from '../../support/postgres.js';
import { sized } from '../../support/sizes.js';
import { waitFor } from '../../support/wait-for.js';
import { Workers, waits } from './workers.js';

/** More than a statement takes. */
const ORPHANS = sized(10_000, 1_500);

it(`${ORPHANS} orphans of one process are Ready again in one pass`, async () => {
  const schema = freshSchema();
  const workers = new Workers([schema]);
  const victim = await workers.child();
  await victim.start(waits(1));
  await workers.begun(1);
  const [watcher] = await workers.here({ maxConcurrentTasks: 0, claiming: false });
  // As if it had claimed so many: the rows of one, over and over.
  await queryIn(
    schema,
    `WITH one AS (SELECT * FROM cloacina_task_execution WHERE task_no = 0),
      execution AS (
        INSERT INTO cloacina_workflow_execution (id, workflow, definition_id, status, input, remaining_leaves)
        SELECT gen_random_uuid(), 'holding', one.definition_id, 'Running', '{}', 1
        FROM one, generate_series(2, $1::integer) RETURNING id
      )
     INSERT INTO cloacina_task_execution (execution_id, task_no, definition_id, status, claim_token, owner, started_at)
     SELECT e.id, 0, one.definition_id, 'Running', one.claim_token, one.owner, clock_timestamp() FROM execution e, one`,
    [ORPHANS],
  );
  await queryIn(schema, listClaims());
  await victim.process.kill();
  const began = performance.now();
  // Its own look may come before: who ends the lease has the orphans.
  await watcher!.recovery.run();
  await waitFor(
    async () => {
      const [ready] = await queryIn<{ count: number; events: number }>(
        schema,
        `SELECT count(*)::integer, (SELECT count(*)::integer FROM cloacina_recovery_event) AS events
         FROM cloacina_task_execution WHERE status = 'Ready' AND owner IS NULL AND recovery_attempts = 1`,
      );
      return ready?.count === ORPHANS && ready.events === ORPHANS;
    },
    { what: 'all to be Ready', every: 50 },
  );
  const tookMs = Math.round(performance.now() - began);
  process.stdout.write(`${ORPHANS} orphans recovered in ${tookMs} ms, both looks included\n`);
  expect(await watcher!.recovery.stats()).toMatchObject({ recovered: ORPHANS, abandoned: 0 });
});
