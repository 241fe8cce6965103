import { afterAll, afterEach, beforeAll, jest } from '@jest/globals';
import { setImmediate as turn } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import { taskFailed } from '../../../lib/workflow/index.js';
import { listClaims } from '../../support/list-claims.js';
import { openTenant, queryIn, type OpenTenant } from '../../support/open-tenant.js';
import { freshSchema } from '../../support/postgres.js';
import { waitFor } from '../../support/wait-for.js';
import { type Point, StatementPoints } from './statement-points.js';

/**
 * Work with all that a claim can come to, which is closed at points that are given: at a few in `npm test`, at all in
 * the fault tests.
 */

const TABLES = ['workflow_execution', 'task_execution', 'execution_event', 'recovery_event'];
/** The owner of the orphans that lie there. It has no lease. */
const DEAD = '00000000-0000-4000-8000-000000000000';
const schema = freshSchema();

/** While the backlog is made, `both` waits for its time. */
let preparing = true;
/** What a claim can come to: inputs to read, an outcome, a skip, a retry, a deferral, a transaction, a suspect. */
const workflow = defineWorkflow('everything')
  .task('first', { retry: { delay: 1, jitter: false } }, async ({ attempt }) => {
    await turn();
    if (attempt === 1) throw new Error('not yet');
    return { first: true };
  })
  .task('handles', { dependsOn: ['first'], when: taskFailed('first') }, () => undefined)
  .task('other', () => ({ other: 'x'.repeat(9_000) }))
  .task('both', { dependsOn: ['first', 'other'] }, async (context) => {
    await context.deferUntil(() => !preparing && context.has('first'), { every: '1h' });
  })
  .task(
    'last',
    { dependsOn: ['both'], transactional: true, timeout: '1m' },
    async ({ manager }) => void (await manager.query('SELECT 1')),
  )
  .build();

const errors: unknown[] = [];
const unhandled = (reason: unknown): void => void errors.push(reason);

beforeAll(async () => {
  const tenant = await openTenant([workflow], { schema });
  const begun = await tenant.runner.start(workflow);
  await waitFor(
    async () => (await tenant.runner.get(begun.id))?.tasks[3]?.waitingFor?.reason === 'condition',
  );
  await tenant.close();
  const client = await openTenant([workflow], { schema, maxConcurrentTasks: 0 });
  const started = await Promise.all(Array.from({ length: 2 }, () => client.runner.start(workflow)));
  await client.close();
  preparing = false;
  // One suspect whose inputs have to be read, one orphan to recover, one to abandon.
  await query(
    `UPDATE cloacina_task_execution SET run_at = now(), recovery_attempts = 2 WHERE task_no = 3 AND status = 'Ready'`,
  );
  for (const [i, losses] of [0, 3].entries()) {
    await query(
      `UPDATE cloacina_task_execution SET status = 'Running', run_at = NULL, owner = $2, claim_token = 1,
       recovery_attempts = $3, started_at = now() WHERE execution_id = $1 AND task_no = 0`,
      [started[i]?.id, DEAD, losses],
    );
  }
  await query(listClaims());
  for (const table of TABLES)
    await query(`CREATE TABLE copy_of_${table} AS TABLE cloacina_${table}`);
  jest.spyOn(Logger.prototype, 'error').mockImplementation((text) => void errors.push(text));
  process.on('unhandledRejection', unhandled);
});
afterEach(() => {
  errors.splice(0);
});
afterAll(() => {
  jest.restoreAllMocks();
  process.off('unhandledRejection', unhandled);
});

const query = <R extends object>(sql: string, values?: readonly unknown[]): Promise<R[]> =>
  queryIn<R>(schema, sql, values);

async function restore(): Promise<void> {
  await query(
    `TRUNCATE ${TABLES.map((table) => `cloacina_${table}`).join(', ')}, cloacina_runner_lease`,
  );
  for (const table of TABLES.slice(0, 2)) {
    await query(`INSERT INTO cloacina_${table} SELECT * FROM copy_of_${table}`);
  }
}

/** Resolves when all three executions have ended. */
function allEnded({ runner }: OpenTenant): Promise<undefined> {
  return new Promise((resolve) => {
    let ended = 0;
    runner.events$.subscribe(({ type }) => {
      if (type === 'execution.ended' && ++ended === 3) resolve(undefined);
    });
  });
}

/** What must not be there once the process is gone. */
async function leftovers(): Promise<object[]> {
  return [
    ...(await query(
      `SELECT t.task_no, t.status, t.owner, t.attempt, t.recovery_attempts FROM cloacina_task_execution t
       JOIN copy_of_task_execution b USING (execution_id, task_no)
       WHERE (t.status = 'Running' OR t.owner IS NOT NULL) AND t.owner IS DISTINCT FROM $1
          OR t.attempt > (t.task_no = 0)::integer
          OR t.recovery_attempts > b.recovery_attempts + (b.owner IS NOT NULL)::integer`,
      [DEAD],
    )),
    ...(await query('SELECT * FROM cloacina_runner_lease')),
    ...(await query('SELECT * FROM cloacina_recovery_event WHERE previous_owner <> $1', [DEAD])),
    ...errors.map((error) => ({ error })),
  ];
}

/** Undefined when the work was done before the point came. */
async function closeAt(
  point: Point,
  options: { shutdownTimeoutMs: number },
): Promise<string | undefined> {
  await restore();
  const tenant = await openTenant([workflow], { schema, claiming: false, ...options });
  const points = new StatementPoints(tenant, point);
  const ended = allEnded(tenant);
  // A boot that is closed meanwhile may fail.
  const booting = tenant.host.startClaiming().catch(() => undefined);
  const where = await Promise.race([points.reached, ended]);
  const closing = tenant.close();
  // The drain gets as far as it can without the answer.
  for (let i = 0; i < 10; i++) await turn();
  points.release();
  await closing;
  await booting;
  return where;
}

/** Closes the work at each of the points, until it is done before one is reached. */
export async function closeAtEach(
  points: Iterable<Point>,
  options: { shutdownTimeoutMs: number },
): Promise<{ reached: number; left: object[] }> {
  const left: object[] = [];
  let reached = 0;
  for (const point of points) {
    const where = await closeAt(point, options);
    const found = await leftovers();
    if (found.length > 0) left.push({ reached, where, found });
    errors.splice(0);
    if (where === undefined) break;
    reached++;
  }
  return { reached, left };
}
