import { randomUUID } from 'node:crypto';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import { illegalHistories } from '../../faults/workload/legal-history.js';
import { STATEMENTS } from '../../faults/workload/failpoints.js';
import { aborted, gate } from '../../support/gate.js';
import {
  makeDue,
  openTenant,
  type OpenTenant,
  processEngineOf,
} from '../../support/open-tenant.js';
import { freshSchema } from '../../support/postgres.js';
import { cases } from '../../support/sizes.js';
import { waitFor } from '../../support/wait-for.js';
import { CONFLICTS, StatementFaults } from './statement-faults.js';
import { FIRST_TOKEN } from '../../../lib/store/port/index.js';
import { tablesOf } from '../../../lib/store/postgres/statements/statement.js';

const TIMES = 3;
const RETRY = { maxAttempts: 3, delay: 1, jitter: false } as const;

const plain = defineWorkflow('plain')
  .task('first', () => ({ first: 1 }))
  .task('second', { dependsOn: ['first'] }, () => ({ second: 2 }))
  .build();
const flaky = defineWorkflow('flaky')
  .task('only', { retry: RETRY }, ({ attempt }) => {
    if (attempt === 1) throw new Error('once, on purpose');
  })
  .build();
const failing = defineWorkflow('failing')
  .task('only', { retry: { maxAttempts: 1 } }, () => {
    throw new Error('on purpose');
  })
  .build();
const deferring = defineWorkflow('deferring')
  .task('only', (context) => context.deferUntil(() => conditions++ > 0, { every: 1 }))
  .build();
let conditions = 0;
const transactional = defineWorkflow('transactional')
  .task('only', { transactional: true }, async ({ manager, idempotencyKey }) => {
    await manager.query('INSERT INTO effect VALUES ($1)', [idempotencyKey]);
  })
  .build();
/** Leaves that end in one batch: neither knows what the other one wrote, so the context is written afterwards. */
const leaves = defineWorkflow('leaves')
  .task('a', async () => {
    await together.passed;
    return { a: 1 };
  })
  .task('b', async () => {
    await together.passed;
    return { b: 2 };
  })
  .build();
async function untilAborted(signal: AbortSignal): Promise<void> {
  await aborted(signal);
}
let together = gate();
let begun = gate();
let free = gate();
const holding = defineWorkflow('holding')
  .task('only', async ({ signal }) => {
    begun.open();
    await Promise.race([free.passed, untilAborted(signal)]);
  })
  .task('after', { dependsOn: ['only'] }, () => ({ after: true }))
  .build();
const timed = defineWorkflow('timed', { timeout: 300 })
  .task('only', ({ signal }) => untilAborted(signal))
  .build();
const ALL = [plain, flaky, failing, deferring, transactional, leaves, holding, timed];

interface Scene {
  readonly one: OpenTenant;
  /** From now on statements with this in their text fail, so many times. */
  readonly fail: (part: string) => Promise<void>;
}

async function completes({ runner }: OpenTenant, id: string): Promise<void> {
  const { status, tasks } = await runner.handle(id).result({ timeout: '60s' });
  expect(status).toBe('Completed');
  // A lost race costs no attempt and no recovery.
  expect(tasks.map(({ attempt }) => attempt)).toEqual(tasks.map(() => 1));
}

type Play = (scene: Scene) => Promise<unknown>;

/** Those that play one after the other in the same tenant. */
const SCENES: [string, Play][] = [
  [
    'a start',
    async ({ one, fail }) => {
      await fail(STATEMENTS.start);
      await completes(one, (await one.runner.start(plain)).id);
    },
  ],
  [
    'a start with a key',
    async ({ one, fail }) => {
      await fail(STATEMENTS.start);
      const options = { idempotencyKey: randomUUID() };
      const [first, second] = await Promise.all([
        one.runner.start(plain, {}, options),
        one.runner.start(plain, {}, options),
      ]);
      expect(first.id).toBe(second.id);
      await completes(one, first.id);
    },
  ],
  [
    'a claim',
    async ({ one, fail }) => {
      await fail(STATEMENTS.claim);
      await completes(one, (await one.runner.start(plain, {}, { delay: 1 })).id);
    },
  ],
  [
    'an outcome',
    async ({ one, fail }) => {
      await fail(STATEMENTS.complete);
      await completes(one, (await one.runner.start(plain)).id);
    },
  ],
  [
    'a final failure',
    async ({ one, fail }) => {
      await fail(STATEMENTS.complete);
      const { status, tasks } = await one.runner.execute(failing, {}, { settled: true });
      expect([status, tasks[0]?.attempts.length]).toEqual(['Failed', 1]);
    },
  ],
  [
    'a retry',
    async ({ one, fail }) => {
      await fail(STATEMENTS.reschedule);
      const { status, tasks } = await one.runner.execute(flaky);
      expect([status, tasks[0]?.attempt]).toEqual(['Completed', 2]);
    },
  ],
  [
    'a deferral',
    async ({ one, fail }) => {
      conditions = 0;
      await fail(STATEMENTS.reschedule);
      await completes(one, (await one.runner.start(deferring)).id);
    },
  ],
  [
    "a transactional task's outcome",
    async ({ one, fail }) => {
      await fail(STATEMENTS.complete);
      const { id } = await one.runner.start(transactional);
      await completes(one, id);
      const effects = 'SELECT FROM effect WHERE starts_with(key, $1)';
      expect(await one.query(effects, [id])).toHaveLength(1);
    },
  ],
  [
    'the second write of a final context',
    async ({ one, fail }) => {
      together = gate();
      const { id } = await one.runner.start(leaves);
      await waitFor(() => one.engine.claims.size === 2);
      await fail('x.context IS NULL AND x.generation');
      together.open();
      await completes(one, id);
      const stored = await waitFor(async () => {
        const [row] = await one.query<{ context: object | null }>(
          'SELECT context FROM cloacina_workflow_execution WHERE id = $1',
          [id],
        );
        return row?.context;
      });
      expect(stored).toEqual({ a: 1, b: 2 });
    },
  ],
  [
    'a cancel',
    async ({ one, fail }) => {
      const { id } = await one.runner.start(holding);
      await begun.passed;
      await fail("SET status = 'Cancelled'");
      await one.runner.cancel(id, { reason: 'enough' });
      expect((await one.runner.get(id))?.status).toBe('Cancelled');
    },
  ],
  [
    'a pause',
    async ({ one, fail }) => {
      const { id } = await one.runner.start(plain, {}, { delay: '1h' });
      await fail('SET paused = true');
      await one.runner.pause(id);
      expect((await one.runner.get(id))?.status).toBe('Paused');
    },
  ],
  [
    'a resume',
    async ({ one, fail }) => {
      const { id } = await one.runner.start(plain, {}, { delay: '1h' });
      await one.runner.pause(id);
      await fail('SET paused = false');
      await one.runner.resume(id);
      await makeDue(one, id);
      await completes(one, id);
    },
  ],
  [
    'a manual retry',
    async ({ one, fail }) => {
      const { id } = await one.runner.execute(failing, {}, { settled: true });
      await fail('unhandled_failures = 0');
      await one.runner.retry(id);
      expect((await one.runner.handle(id).result({ settled: true })).status).toBe('Failed');
    },
  ],
  [
    "a workflow's timeout",
    async ({ one, fail }) => {
      await fail('IS NOT NULL THEN $3::json -> e.error');
      const { status, error } = await one.runner.execute(timed, {}, { settled: true });
      expect([status, error?.name]).toEqual(['Failed', 'WorkflowTimeoutError']);
    },
  ],
  [
    "a suspect's begin",
    async ({ one, fail }) => {
      const { id } = await one.runner.start(plain, {}, { delay: '1h' });
      // As after two lost processes.
      await one.query(
        `WITH lost AS (
           UPDATE cloacina_task_execution SET recovery_attempts = 2, claim_token = ${2 * FIRST_TOKEN + 1}
           WHERE execution_id = $1 AND task_no = 0 RETURNING execution_id)
         INSERT INTO cloacina_recovery_event (execution_id, task_no, kind, cause)
         SELECT execution_id, 0, 'recovered', 'lockGone' FROM lost, generate_series(1, 2)`,
        [id],
      );
      await fail('SET started_at = clock_timestamp()\n');
      await makeDue(one, id);
      await completes(one, id);
    },
  ],
  [
    'a renewal of leases',
    async ({ one, fail }) => {
      const { id } = await one.runner.start(holding);
      await begun.passed;
      const expiry = async (): Promise<number> =>
        Number(
          (
            await one.query<{ at: string }>(
              'SELECT extract(epoch FROM expires_at) AS at FROM cloacina_runner_lease',
            )
          )[0]?.at,
        );
      const before = await expiry();
      await fail('WITH r0 AS');
      for (let i = 0; i <= TIMES; i++) await processEngineOf(one).renewOnce();
      expect(await expiry()).toBeGreaterThan(before);
      free.open();
      await completes(one, id);
    },
  ],
  [
    'the end of a lease that nobody needs',
    async ({ one, fail }) => {
      await completes(one, (await one.runner.start(plain)).id);
      await fail('cloacina_runner_lease WHERE instance_id = $1::uuid');
      for (let i = 0; i <= TIMES; i++) {
        await waitFor(() => !one.engine.isBusy);
        await one.engine.release.runOnce();
      }
      expect(await one.query('SELECT FROM cloacina_runner_lease')).toEqual([]);
      await completes(one, (await one.runner.start(plain)).id);
    },
  ],
  [
    'the mark of who waits',
    async ({ one, fail }) => {
      const other = await openTenant(ALL, { schema: one.schema, maxConcurrentTasks: 0 });
      const { id } = await one.runner.start(holding);
      await begun.passed;
      await fail('SET has_waiters = true');
      const result = other.runner.handle(id).result({ timeout: '60s' });
      const marked = 'SELECT FROM cloacina_workflow_execution WHERE id = $1 AND has_waiters';
      await waitFor(async () => (await one.query(marked, [id])).length === 1);
      free.open();
      expect((await result).status).toBe('Completed');
    },
  ],
  [
    'the registration of a definition',
    async ({ one, fail }) => {
      await fail('INSERT INTO %definition%');
      const added = defineWorkflow(`added-${randomUUID()}`)
        .task('only', () => undefined)
        .build();
      const next = await openTenant([...ALL, added], { schema: one.schema });
      await completes(next, (await next.runner.start(added)).id);
    },
  ],
];

/** Those that end their tenant's process, or take it for lost. */
const LAST_SCENES: [string, Play][] = [
  [
    'what a shutdown gives back',
    async ({ one, fail }) => {
      const other = await openTenant(ALL, { schema: one.schema, maxConcurrentTasks: 0 });
      const { id } = await one.runner.start(holding);
      await begun.passed;
      await fail(STATEMENTS.reschedule);
      await one.close();
      const [task] = await other.query(
        'SELECT status, attempt, recovery_attempts FROM cloacina_task_execution WHERE task_no = 0',
      );
      expect(task).toEqual({ status: 'Ready', attempt: 0, recovery_attempts: 0 });
      const next = await openTenant(ALL, { schema: one.schema });
      free.open();
      await completes(next, id);
    },
  ],
  [
    'the end of a lease that is over',
    async (scene) => recoversAfter(scene, 'DELETE FROM %lease% l'),
  ],
  ['a taking of orphans', async (scene) => recoversAfter(scene, STATEMENTS.takeOrphans)],
];

/** A process is lost, and who recovers its task meets the fault. */
async function recoversAfter({ one, fail }: Scene, part: string): Promise<void> {
  const other = await openTenant(ALL, { schema: one.schema });
  const { id } = await one.runner.start(holding);
  await begun.passed;
  // It lives, whatever its row says: if it claimed the task again before the row is deleted, it would be lost again.
  one.engine.pauseClaiming();
  await fail(part.replace('%lease%', tablesOf(other.engine.store.handle).lease));
  // Whose lock is nowhere.
  await one.query(
    `UPDATE cloacina_runner_lease SET process_id = gen_random_uuid(), lock_session = '1:1'`,
  );
  await other.recovery.run();
  await waitFor(async () => (await one.query('SELECT FROM cloacina_recovery_event')).length > 0);
  free.open();
  const { status, tasks } = await other.runner.handle(id).result({ timeout: '60s' });
  expect([status, tasks[0]?.recoveryAttempts]).toEqual(['Completed', 1]);
}

interface Stage {
  readonly one: OpenTenant;
  readonly faults: StatementFaults;
}

async function openStage(): Promise<Stage> {
  const one = await openTenant(ALL, {
    schema: freshSchema(),
    shutdownTimeoutMs: 50,
    claiming: false,
  });
  await one.query('CREATE TABLE effect (key text)');
  const faults = await StatementFaults.install(one.schema);
  await one.host.startClaiming();
  return { one, faults };
}

async function expectDelayOnly({ one, faults }: Stage, code: string, play: Play): Promise<void> {
  [begun, free] = [gate(), gate()];
  const { definition } = tablesOf(one.engine.store.handle);
  await play({
    one,
    fail: (part) => faults.plan(part.replace('%definition%', definition), code, TIMES),
  });
  expect(await faults.raised()).toBe(TIMES);
  expect(await illegalHistories(one.query)).toEqual([]);
}

let shared: Stage;
beforeAll(async () => {
  shared = await openStage();
});

describe.each(Object.entries(CONFLICTS))('A %s', (kind, code) => {
  // Both are one kind of failure to the library: in `npm test` they take turns.
  const isTurn = (_scene: unknown, i: number): boolean => (i % 2 === 0) === (kind === 'deadlock');

  it.each(cases(SCENES, isTurn))('in %s is no more than a delay', (__, play) =>
    expectDelayOnly(shared, code, play),
  );

  it.each(cases(LAST_SCENES, isTurn))('in %s is no more than a delay', async (__, play) =>
    expectDelayOnly(await openStage(), code, play),
  );
});
