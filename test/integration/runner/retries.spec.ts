import { beforeAll, describe, expect, it } from '@jest/globals';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import type { RetryOptions } from '../../../lib/discovery/options.js';
import type { WorkflowDefinition } from '../../../lib/discovery/workflow-builder.js';
import { NonRetryableError, RetryAfterError } from '../../../lib/errors/index.js';
import { makeDue, type OpenTenant, openTenant } from '../../support/open-tenant.js';
import { waitFor } from '../../support/wait-for.js';

interface Waiting {
  attempt: number;
  delay: number;
}

/** The task's failures so far and the delay before the next attempt, once it waits for that. */
async function waiting(id: string, attempt: number): Promise<Waiting> {
  return waitFor(async () => {
    const [row] = await tenant.query<Waiting>(
      `SELECT attempt, (extract(epoch FROM run_at - (attempts -> -1 ->> 'completedAt')::timestamptz) * 1000)::float AS delay
       FROM cloacina_task_execution WHERE execution_id = $1 AND status = 'Ready' AND attempt = $2`,
      [id, attempt],
    );
    return row;
  });
}

/** What the one tenant of this file serves: a tenant for each test would take longer than the tests. */
const served: WorkflowDefinition[] = [];
let tenant: OpenTenant;
beforeAll(async () => {
  tenant = await openTenant(served);
});

/** To be called before the tests run. */
function failing(retry: RetryOptions, thrown: (attempt: number) => unknown): WorkflowDefinition {
  const workflow = defineWorkflow(`failing-${served.length}`)
    .task('only', { retry }, ({ attempt, set }) => {
      void set;
      throw thrown(attempt);
    })
    .build();
  served.push(workflow);
  return workflow;
}

const error = (attempt: number): Error => new Error(`attempt ${attempt}`);

/** All delays here are multiples of it, in milliseconds. */
const STEP_MS = 5_000;

describe('A retry', () => {
  const base = { delay: 10_000, jitter: false, maxAttempts: 6 } as const;

  const BACKOFFS: [string, RetryOptions, number[]][] = [
    ['fixed', { ...base, backoff: 'fixed' }, [10_000, 10_000, 10_000, 10_000]],
    ['linear', { ...base, backoff: 'linear', maxDelay: '35s' }, [10_000, 20_000, 30_000, 35_000]],
    ['exponential', { ...base, maxDelay: '1h' }, [10_000, 20_000, 40_000, 80_000]],
  ];
  it.each(BACKOFFS.map(([what, retry, delays]) => [what, failing(retry, error), delays] as const))(
    'comes after a %s delay',
    async (_, workflow, delays) => {
      const { id } = await tenant.runner.start(workflow);
      const seen: number[] = [];
      for (let attempt = 1; attempt <= delays.length; attempt++) {
        if (attempt > 1) await makeDue(tenant, id);
        seen.push((await waiting(id, attempt)).delay);
      }
      // Both times are taken in one statement, which may be held up between them.
      expect(seen.map((delay) => Math.round(delay / STEP_MS) * STEP_MS)).toEqual(delays);
    },
  );

  const jittered = failing({ delay: 20_000, backoff: 'fixed' }, error);
  it('comes between half the delay and the whole of it with jitter, as is the default', async () => {
    const handles = await Promise.all(
      Array.from({ length: 30 }, () => tenant.runner.start(jittered)),
    );
    const delays = await Promise.all(handles.map(async ({ id }) => (await waiting(id, 1)).delay));
    expect(Math.min(...delays)).toBeGreaterThan(9_950);
    expect(Math.max(...delays)).toBeLessThan(20_000 + STEP_MS);
    expect(Math.max(...delays) - Math.min(...delays)).toBeGreaterThan(2_000);
  });

  const thrice = failing({ delay: 1 }, error);
  it('is made at most maxAttempts - 1 times; each attempt is kept with its error and times', async () => {
    const result = await tenant.runner.execute(thrice, {}, { settled: true });
    expect(result.status).toBe('Failed');
    const [task] = result.tasks;
    expect(task).toMatchObject({
      status: 'Failed',
      attempt: 3,
      error: { name: 'Error', message: 'attempt 3' },
    });
    expect(task?.attempts.map((attempt) => [attempt.attempt, attempt.error?.message])).toEqual([
      [1, 'attempt 1'],
      [2, 'attempt 2'],
      [3, 'attempt 3'],
    ]);
    for (const { startedAt, completedAt, durationMs, error: kept } of task?.attempts ?? []) {
      expect(durationMs).toBe(completedAt.getTime() - startedAt.getTime());
      expect(durationMs).toBeGreaterThanOrEqual(0);
      expect(kept?.stack).toContain('retries.spec');
    }
  });

  const recovering = defineWorkflow('recovers')
    .task('only', { retry: { delay: 1 } }, (context) => {
      context.set(`of ${context.attempt}`, true);
      if (context.attempt < 3) throw error(context.attempt);
      return { keys: Object.keys(context.data) };
    })
    .build();
  served.push(recovering);
  it('that succeeds completes the task, and nothing that failed attempts wrote is kept', async () => {
    const { id, status, context, tasks } = await tenant.runner.execute(recovering);
    expect({ status, context }).toEqual({
      status: 'Completed',
      context: { 'of 3': true, keys: ['of 3'] },
    });
    expect(tasks[0]?.attempts.map(({ attempt, error: kept }) => [attempt, kept?.message])).toEqual([
      [1, 'attempt 1'],
      [2, 'attempt 2'],
      [3, undefined],
    ]);
    expect(tasks[0]?.error).toBeUndefined();
    expect(
      await tenant.query(
        'SELECT kind, detail -> $2 AS attempt FROM cloacina_execution_event WHERE execution_id = $1 ORDER BY id',
        [id, 'attempt'],
      ),
    ).toEqual([
      { kind: 'retried', attempt: 1 },
      { kind: 'retried', attempt: 2 },
    ]);
  });

  const often = failing({ delay: 0, maxAttempts: 25 }, error);
  it('keeps the last 20 attempts', async () => {
    const { tasks } = await tenant.runner.execute(often, {}, { settled: true });
    expect(tasks[0]?.attempts.map(({ attempt }) => attempt)).toEqual(
      Array.from({ length: 20 }, (_, i) => i + 6),
    );
  });

  const late = failing({ delay: 60_000, jitter: false }, error);
  it('shows what it waits for, and the error so far', async () => {
    const { id } = await tenant.runner.start(late);
    await waiting(id, 1);
    expect((await tenant.runner.get(id))?.tasks[0]).toMatchObject({
      status: 'Ready',
      attempt: 1,
      error: { message: 'attempt 1' },
      waitingFor: { reason: 'time', detail: expect.stringMatching(/^Its next attempt is due at /) },
    });
  });
});

describe('retryIf', () => {
  const CASES: [string, RetryOptions['retryIf'], number][] = [
    ['decides by the error', (thrown: Error) => thrown.message !== 'attempt 2', 2],
    [
      'that throws has not said yes',
      () => {
        throw new Error('in retryIf');
      },
      1,
    ],
    ['is not asked beyond maxAttempts', () => true, 3],
  ];
  it.each(
    CASES.map(
      ([what, retryIf, attempts]) =>
        [what, failing({ delay: 1, retryIf: retryIf ?? (() => true) }, error), attempts] as const,
    ),
  )('%s', async (_, workflow, attempts) => {
    const result = await tenant.runner.execute(workflow, {}, { settled: true });
    expect(result.tasks[0]).toMatchObject({
      status: 'Failed',
      attempt: attempts,
      error: { message: `attempt ${attempts}` },
    });
  });
});

describe('An error that says what to do', () => {
  class Refused extends NonRetryableError {}
  const refused = failing({ retryIf: () => true }, () => new Refused('never'));
  it('NonRetryableError ends the task at once, whatever retryIf says', async () => {
    const { tasks } = await tenant.runner.execute(refused, {}, { settled: true });
    expect(tasks[0]).toMatchObject({ status: 'Failed', attempt: 1, error: { message: 'never' } });
  });

  const deferred = failing(
    { delay: 1, maxDelay: 10, maxAttempts: 2 },
    (attempt) => new RetryAfterError('5m', `try ${attempt}`),
  );
  it('RetryAfterError sets the delay, beyond maxDelay too, and counts as an attempt', async () => {
    const handle = await tenant.runner.start(deferred);
    const { delay } = await waiting(handle.id, 1);
    expect(Math.round(delay / STEP_MS) * STEP_MS).toBe(300_000);
    await makeDue(tenant, handle.id);
    const { tasks } = await handle.result({ settled: true });
    expect(tasks[0]).toMatchObject({ status: 'Failed', attempt: 2, error: { message: 'try 2' } });
  });

  const strange = [Infinity, NaN, -1, 1e300, '90s', undefined].map((delayMs) => {
    const thrown = (): Error =>
      Object.defineProperty(new RetryAfterError(0), 'delayMs', { get: () => delayMs });
    return [delayMs, failing({ delay: 1, maxAttempts: 2 }, thrown)] as const;
  });
  it.each(strange)(
    'a RetryAfterError whose own delayMs is %p is retried by the policy, and ends',
    async (_, workflow) => {
      const { status, tasks } = await tenant.runner.execute(
        workflow,
        {},
        { timeout: '30s', settled: true },
      );
      expect(status).toBe('Failed');
      expect(tasks[0]).toMatchObject({ status: 'Failed', attempt: 2 });
    },
  );

  const deep = failing({ delay: 1, maxAttempts: 2 }, () => {
    let inner = new Error('the innermost');
    for (let n = 0; n < 5_000; n++) inner = new AggregateError([inner], '');
    return inner;
  });
  it('errors in errors, however deep, are a failure that is stored', async () => {
    const { tasks } = await tenant.runner.execute(deep, {}, { timeout: '30s', settled: true });
    expect(tasks[0]).toMatchObject({
      status: 'Failed',
      attempt: 2,
      error: { name: 'AggregateError' },
    });
  });
});
