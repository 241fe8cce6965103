import { afterEach, expect, it } from '@jest/globals';
import type { DataSource, QueryRunner } from 'typeorm';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import type { TaskContext } from '../../../lib/discovery/task-context.js';
import { illegalHistories } from '../../faults/workload/legal-history.js';
import { gate } from '../../support/gate.js';
import { openTenant, queryIn } from '../../support/open-tenant.js';
import { freshSchema } from '../../support/postgres.js';
import { cases } from '../../support/sizes.js';
import { waitFor } from '../../support/wait-for.js';
import { Workers, waits } from './workers.js';

const LEASE_MS = 3_000;
const POOL = 10;
/** Of the pool, what the library keeps to itself. */
const KEPT = 6;

/** Handlers that nobody lets go would hold up the end of the test as well. */
let onTestEnd: () => void = () => undefined;
afterEach(() => onTestEnd());

it.each(
  cases(
    [
      ['a control connection', true],
      ['leases alone', false],
    ] as const,
    ([, controlConnection]) => controlConnection,
  ),
)(
  'Handlers that hold all connections and want more stop nothing that the library does, with %s',
  async (_, controlConnection) => {
    const schema = freshSchema();
    const free = gate();
    onTestEnd = () => free.open();
    let begun = 0;
    let held = 0;
    /** As often as it takes: the pool gives those up who have waited for long. */
    const take = async (dataSource: DataSource): Promise<QueryRunner> => {
      const runner = dataSource.createQueryRunner();
      return runner.connect().then(
        () => runner,
        () => take(dataSource),
      );
    };
    /** Takes one, and needs another one to go on: there is none until another handler ends. */
    const hog = async ({ dataSource }: TaskContext): Promise<void> => {
      begun++;
      const first = await take(dataSource);
      held++;
      const more = take(dataSource).then((second) => second.release());
      await free.passed;
      await first.release();
      await more;
    };
    const hogs = defineWorkflow('hogs').task('only', hog).build();
    const plain = defineWorkflow('plain')
      .task('first', () => ({ first: 1 }))
      .task('second', { dependsOn: ['first'], retry: { delay: 1 } }, ({ attempt }) => {
        if (attempt === 1) throw new Error('once, on purpose');
      })
      .build();
    const failing = defineWorkflow('failing')
      .task('only', { retry: { maxAttempts: 1 } }, () => {
        throw new Error('on purpose');
      })
      .build();
    const timed = defineWorkflow('timed', { timeout: 300 })
      .task('only', { retry: { delay: '1h' } }, () => {
        throw new Error('on purpose');
      })
      .build();
    const workers = new Workers([schema], { controlConnection, leaseDurationMs: LEASE_MS });
    const victim = await workers.child();
    await victim.start(waits(2));
    await workers.begun(2);

    const { runner, query, engine } = await openTenant([hogs, plain, failing, timed], {
      schema,
      poolSize: POOL,
      controlConnection,
      leaseDurationMs: LEASE_MS,
      maxRecoveryAttempts: 0,
      maxConcurrentTasks: 2 * POOL,
    });
    const hogging = await Promise.all(Array.from({ length: POOL }, () => runner.start(hogs)));
    await waitFor(() => begun === POOL && held >= POOL - KEPT);

    // Outcomes, retries, and what is asked of executions.
    expect((await runner.execute(plain, {}, { settled: true })).status).toBe('Completed');
    const later = await runner.start(plain, {}, { delay: '1h' });
    await later.pause();
    await later.resume();
    await later.cancel();
    expect(await later.status()).toBe('Cancelled');
    const failed = await runner.execute(failing, {}, { settled: true });
    await runner.retry(failed.id);
    expect((await runner.handle(failed.id).result({ settled: true })).status).toBe('Failed');
    expect((await runner.execute(timed, {}, { settled: true })).error?.name).toBe(
      'WorkflowTimeoutError',
    );
    // A lost process, and what it had was lost too often.
    await victim.process.kill();
    await waitFor(async () => (await queryIn(schema, "SELECT FROM cloacina_recovery_event WHERE kind = 'abandoned'")).length === 2); // prettier-ignore
    // The lease, for longer than it lasts without being renewed.
    await waitFor(async () => {
      const [row] = await query<{ renewed: boolean | null }>(
        `SELECT bool_and(expires_at > created_at + $1 * interval '1 ms') AS renewed FROM cloacina_runner_lease`,
        [2 * LEASE_MS],
      );
      return row?.renewed;
    });
    // The recovery's own claims, of what it abandoned, are forgotten a moment after their outcomes can be read.
    await waitFor(() => engine.claims.size === POOL);
    expect(held).toBe(POOL - KEPT);

    free.open();
    for (const { id } of hogging) {
      const { status, tasks } = await runner.handle(id).result();
      expect([status, tasks[0]?.attempt, tasks[0]?.recoveryAttempts]).toEqual(['Completed', 1, 0]);
    }
    expect(await illegalHistories((sql) => queryIn(schema, sql))).toEqual([]);
  },
);

it('Handlers that keep their connections whatever they are told hold up no shutdown', async () => {
  const free = gate();
  onTestEnd = () => free.open();
  let held = 0;
  const stubborn = defineWorkflow('stubborn')
    .task('only', async ({ dataSource }) => {
      const runner = dataSource.createQueryRunner();
      await runner.connect();
      held++;
      await free.passed;
      await runner.release();
    })
    .build();
  // For one of them there is a connection; the others wait for it.
  const tenant = await openTenant([stubborn], { poolSize: 6, shutdownTimeoutMs: 50 });
  for (let i = 0; i < 3; i++) await tenant.runner.start(stubborn);
  await waitFor(() => held === 1);
  await tenant.close();
  const tasks = await tenant.query('SELECT status, owner FROM cloacina_task_execution');
  expect(tasks).toEqual(tasks.map(() => ({ status: 'Ready', owner: null })));
});
