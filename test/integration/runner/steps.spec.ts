import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import type { TaskContext } from '../../../lib/discovery/task-context.js';
import { isSuspension } from '../../../lib/engine/waits/suspension.js';
import { gate } from '../../support/gate.js';
import { makeDue, openTenant, sharedTenant, type OpenTenant } from '../../support/open-tenant.js';
import { freshSchema } from '../../support/postgres.js';
import { waitFor } from '../../support/wait-for.js';

let workflows = 0;
const retry = { maxAttempts: 3, delay: 1 } as const;

function ofTask(run: (context: TaskContext) => unknown, options = {}) {
  return defineWorkflow(`steps-${++workflows}`)
    .task('only', { retry, ...options }, run as (context: TaskContext) => Promise<object>)
    .build();
}

interface StepColumns {
  name: string;
  kind: string;
  status: string;
  result: unknown;
}

function stepsOf({ query }: OpenTenant, id: string): Promise<StepColumns[]> {
  return query<StepColumns>(
    'SELECT name, kind, status, result FROM cloacina_task_step WHERE execution_id = $1 ORDER BY started_at, name',
    [id],
  );
}

/** Resolves when the task has gone to sleep. */
function waits({ query }: OpenTenant, id: string): Promise<unknown> {
  return waitFor(
    async () =>
      (
        await query(
          `SELECT FROM cloacina_task_execution WHERE execution_id = $1 AND status = 'Waiting'`,
          [id],
        )
      ).length === 1,
  );
}

const inTenant = sharedTenant();

const warnings: string[] = [];
beforeAll(() => {
  jest.spyOn(Logger.prototype, 'warn').mockImplementation((message: unknown) => {
    warnings.push(String(message));
  });
});
afterAll(() => {
  jest.restoreAllMocks();
});

describe('step', () => {
  it(
    'runs once, whatever fails after it, and its result is that of all runs',
    inTenant((serve) => {
      let ran = 0;
      let attempts = 0;
      const workflow = serve(
        ofTask(async (context) => {
          const made = await context.step('make', () => ({ at: new Date(0), n: ++ran }));
          if (++attempts < 3) throw new Error('not yet');
          return { made };
        }),
      );
      return async (tenant) => {
        const { context, id } = await tenant.runner.execute(workflow, {});
        expect(context).toEqual({ made: { at: '1970-01-01T00:00:00.000Z', n: 1 } });
        expect([ran, attempts]).toEqual([1, 3]);
        expect(await stepsOf(tenant, id)).toEqual([
          { name: 'make', kind: 'step', status: 'Done', result: context.made },
        ]);
      };
    }),
  );

  it(
    'is shown with its time, in its task and in the history',
    inTenant((serve) => {
      const workflow = serve(
        ofTask(async (context) => {
          await context.step('timed', { key: 1 }, () => undefined);
          await context.sleep('nap', 1);
        }),
      );
      return async ({ runner }) => {
        const { id } = await runner.execute(workflow, {});
        const [task] = (await runner.get(id))?.tasks ?? [];
        expect(task?.kind).toBe('task');
        const times = { startedAt: expect.any(Date), completedAt: expect.any(Date) };
        expect(task?.steps).toEqual([
          {
            name: 'timed#1',
            kind: 'step',
            status: 'Done',
            ...times,
            durationMs: expect.any(Number),
          },
          expect.objectContaining({ name: 'nap', ...times, durationMs: expect.any(Number) }),
        ]);
        const entries = await runner.history(id);
        expect(entries?.filter(({ type }) => type === 'task.step')).toEqual([
          {
            type: 'task.step',
            at: expect.any(Date),
            task: task?.name,
            step: 'timed#1',
            endedAt: expect.any(Date),
            durationMs: expect.any(Number),
          },
        ]);
      };
    }),
  );

  it(
    'that throws is not recorded, and runs again',
    inTenant((serve) => {
      let ran = 0;
      const workflow = serve(
        ofTask(async (context) => {
          const n = await context.step('flaky', () => {
            if (++ran < 3) throw new Error('flaky');
            return ran;
          });
          return { n };
        }),
      );
      return async ({ runner }) => {
        expect((await runner.execute(workflow, {})).context).toEqual({ n: 3 });
      };
    }),
  );

  it(
    'is progress: a task of flaky steps has all its attempts for each, and a poison step still ends it',
    inTenant((serve) => {
      const failures = new Map<string, number>();
      const attempts: number[] = [];
      const workflow = serve(
        ofTask(async (context) => {
          attempts.push(context.attempt);
          for (const name of ['a', 'b', 'c', 'poison']) {
            await context.step(name, () => {
              const failed = (failures.get(name) ?? 0) + 1;
              failures.set(name, failed);
              if (name === 'poison' || failed < 3) throw new Error(name);
            });
          }
        }),
      );
      return async ({ runner }) => {
        const { id } = await runner.start(workflow, {});
        const result = await runner.handle(id).result({ settled: true });
        expect(result).toMatchObject({ status: 'Failed', error: { message: 'poison' } });
        expect(Object.fromEntries(failures)).toEqual({ a: 3, b: 3, c: 3, poison: 3 });
        expect(attempts).toEqual([1, 2, 3, 2, 3, 2, 3, 2, 3].slice(0, attempts.length));
        const history = await runner.history(id);
        const failed = (history ?? []).filter((entry) => entry.type === 'task.attempt');
        expect(failed).toHaveLength(attempts.length);
      };
    }),
  );

  it(
    'gives back undefined, null and falsy values as they were',
    inTenant((serve) => {
      const seen: unknown[][] = [];
      const workflow = serve(
        ofTask(async (context) => {
          const values = [undefined, null, 0, '', false, []];
          const results: unknown[] = [];
          for (const [key, value] of values.entries()) {
            results.push(await context.step('value', { key }, () => value));
          }
          seen.push(results);
          if (seen.length === 1) throw new Error('again');
        }),
      );
      return async ({ runner }) => {
        await runner.execute(workflow, {});
        expect(seen[0]).toEqual([undefined, null, 0, '', false, []]);
        expect(seen[1]).toEqual(seen[0]);
      };
    }),
  );

  it(
    'with another version runs again',
    inTenant((serve) => {
      let version = 1;
      let ran = 0;
      const workflow = serve(
        ofTask(async (context) => {
          const n = await context.step('made', { version }, () => ++ran);
          version = 2;
          if (n === 1) throw new Error('deployed');
          return { n };
        }),
      );
      return async (tenant) => {
        const { context, id } = await tenant.runner.execute(workflow, {});
        expect(context).toEqual({ n: 2 });
        expect((await stepsOf(tenant, id)).map(({ name }) => name)).toEqual(['made@1', 'made@2']);
      };
    }),
  );

  it(
    'may run beside others, in any order',
    inTenant((serve) => {
      let runs = 0;
      const workflow = serve(
        ofTask(async (context) => {
          const keys = ++runs === 1 ? [1, 2, 3, 4] : [4, 3, 2, 1];
          const results = await Promise.all(
            keys.map((key) => context.step('part', { key }, () => key * 10)),
          );
          if (runs === 1) throw new Error('again');
          return { results };
        }),
      );
      return async ({ runner }) => {
        expect((await runner.execute(workflow, {})).context).toEqual({ results: [40, 30, 20, 10] });
      };
    }),
  );

  const mistakes: readonly [string, (context: TaskContext) => unknown, object][] = [
    [
      'a name that was used',
      async (context) => {
        await context.step('twice', () => 1);
        await context.step('twice', () => 2);
      },
      { code: 'DUPLICATE_STEP' },
    ],
    ['a name with #', (context) => context.step('a#1', () => 1), { code: 'INVALID_ARGUMENT' }],
    ['an empty name', (context) => context.step('', () => 1), { code: 'INVALID_ARGUMENT' }],
    [
      'no function',
      (context) => context.step('a', 'b' as unknown as () => number),
      { code: 'INVALID_ARGUMENT' },
    ],
    [
      'an unknown option',
      (context) => context.step('a', { kee: 1 } as object, () => 1),
      { code: 'INVALID_ARGUMENT', message: expect.stringContaining('key') },
    ],
    [
      'a result that JSON cannot carry',
      (context) => context.step('a', () => ({ list: new Map() })),
      {
        code: 'INVALID_CONTEXT',
        message: expect.stringContaining('The result of step "a" at list'),
      },
    ],
    [
      'a result that is too large',
      (context) => context.step('a', () => 'x'.repeat(2_000_000)),
      { code: 'CONTEXT_TOO_LARGE' },
    ],
    ['an invalid time', (context) => context.sleep('a', 'soon'), { code: 'INVALID_ARGUMENT' }],
    [
      'an invalid instant',
      (context) => context.sleep('a', { until: new Date(Number.NaN) }),
      { code: 'INVALID_ARGUMENT' },
    ],
    [
      'an instant that no server can store',
      (context) => context.sleep('a', { until: new Date(8.64e15) }),
      { code: 'INVALID_ARGUMENT', message: expect.stringContaining('of the years 1 to 9999') },
    ],
  ];
  for (const [what, run, error] of mistakes) {
    it(
      `${what} fails the task, and is not retried`,
      inTenant((serve) => {
        let runs = 0;
        const workflow = serve(
          ofTask((context) => {
            runs++;
            return run(context);
          }),
        );
        return async ({ runner }) => {
          const { id } = await runner.start(workflow, {});
          expect(await runner.handle(id).result({ settled: true })).toMatchObject({
            status: 'Failed',
            error,
          });
          expect(runs).toBe(1);
        };
      }),
    );
  }

  it('is refused beyond maxSteps', async () => {
    const workflow = ofTask(async (context) => {
      for (const key of [1, 2, 3, 4]) await context.step('part', { key }, () => key);
    });
    const tenant = await openTenant([workflow], { maxSteps: 3 });
    const { id } = await tenant.runner.start(workflow, {});
    expect(await tenant.runner.handle(id).result({ settled: true })).toMatchObject({
      status: 'Failed',
      error: { code: 'TOO_MANY_STEPS' },
    });
    expect(await stepsOf(tenant, id)).toHaveLength(3);
  });

  it('is refused when the results are larger than maxStepsSize together', async () => {
    let runs = 0;
    const workflow = ofTask(async (context) => {
      runs++;
      await context.step('part', { key: 1 }, () => 'x'.repeat(40));
      // The stored results of the first run count in the second one.
      if (runs === 1) throw new Error('again');
      await context.step('part', { key: 2 }, () => 'ä'.repeat(40));
    });
    const tenant = await openTenant([workflow], { maxStepsSize: 100 });
    const { id } = await tenant.runner.start(workflow, {});
    expect(await tenant.runner.handle(id).result({ settled: true })).toMatchObject({
      status: 'Failed',
      error: { code: 'STEPS_TOO_LARGE' },
    });
    expect(runs).toBe(2);
    expect(await stepsOf(tenant, id)).toHaveLength(1);
  });

  it(
    'that is not awaited is warned of, and decides about the run',
    inTenant((serve) => {
      const workflow = serve(
        ofTask(
          (context) => {
            void context.step('forgotten', async () => {
              await Promise.resolve();
              throw new Error('unheard');
            });
            return Promise.resolve({});
          },
          { retry: { maxAttempts: 1 } },
        ),
      );
      return async ({ runner }) => {
        const { id } = await runner.start(workflow, {});
        expect(await runner.handle(id).result({ settled: true })).toMatchObject({
          status: 'Failed',
          error: { message: 'unheard' },
        });
        expect(warnings.join('\n')).toMatch(/Task "only": it returned without waiting for a step/);
      };
    }),
  );

  it(
    'is refused in a transactional task',
    inTenant((serve) => {
      const workflow = serve(
        ofTask((context) => context.step('a', () => 1), { transactional: true }),
      );
      return async ({ runner }) => {
        const { id } = await runner.start(workflow, {});
        expect(await runner.handle(id).result({ settled: true })).toMatchObject({
          error: { code: 'NOT_ALLOWED' },
        });
      };
    }),
  );

  it('in a transaction commits its writes with its record, and neither without the other', async () => {
    const schema = freshSchema();
    let runs = 0;
    const workflow = ofTask(async (context) => {
      runs++;
      for (const key of [1, 2]) {
        await context.step('insert', { key, transactional: true }, async (manager) => {
          await manager.query('INSERT INTO effect VALUES ($1)', [key]);
          if (key === 2 && runs === 1) throw new Error('rolled back');
        });
      }
      if (runs === 2) throw new Error('after both');
    });
    const tenant = await openTenant([workflow], { schema });
    await tenant.query('CREATE TABLE effect (n integer)');
    const { id } = await tenant.runner.execute(workflow, {});
    expect(await tenant.query('SELECT n FROM effect ORDER BY n')).toEqual([{ n: 1 }, { n: 2 }]);
    expect((await stepsOf(tenant, id)).map(({ name }) => name)).toEqual(['insert#1', 'insert#2']);
    expect(runs).toBe(3);
  });

  it('of a process that was given up for dead is not recorded', async () => {
    const schema = freshSchema();
    const held = gate();
    const began = gate();
    let runs = 0;
    const workflow = ofTask(async (context) => {
      if (++runs > 1) return { steps: await context.step('made', () => 'survivor') };
      await context.step('made', async () => {
        began.open();
        await held.passed;
        return 'zombie';
      });
      return {};
    });
    const tenant = await openTenant([workflow], { schema });
    const { id } = await tenant.runner.start(workflow, {});
    await began.passed;
    await tenant.query(
      `UPDATE cloacina_task_execution SET status = 'Ready', owner = NULL, claim_token = claim_token + 1, run_at = now()`,
    );
    held.open();
    tenant.engine.claimAvailable();
    const { context } = await tenant.runner.handle(id).result();
    expect(context).toEqual({ steps: 'survivor' });
    expect(await stepsOf(tenant, id)).toEqual([expect.objectContaining({ result: 'survivor' })]);
  });
});

describe('sleep', () => {
  it(
    'holds nothing, and goes on when its time is over, with the steps before it as they were',
    inTenant((serve) => {
      const ran: string[] = [];
      const suspending: boolean[] = [];
      const workflow = serve(
        ofTask(async (context) => {
          ran.push('top');
          try {
            await context.step('before', () => void ran.push('before'));
            await context.sleep('pause', '3d');
            await context.step('after', () => void ran.push('after'));
          } finally {
            suspending.push(context.suspending);
          }
          return { attempt: context.attempt };
        }),
      );
      return async (tenant) => {
        const { id } = await tenant.runner.start(workflow, {});
        await waits(tenant, id);
        const shown = await tenant.runner.get(id);
        expect(shown?.waitingFor).toMatchObject({
          reason: 'sleep',
          task: 'only',
          wait: 'pause',
          detail: expect.stringMatching(
            /^Task "only" has been sleeping \("pause"\) since .* until /,
          ),
        });
        expect(shown?.tasks[0]).toMatchObject({ status: 'Waiting', attempt: 1 });
        await tenant.query(
          `UPDATE cloacina_task_step SET due_at = now() WHERE execution_id = $1 AND kind = 'sleep'`,
          [id],
        );
        await makeDue(tenant, id);
        expect((await tenant.runner.handle(id).result()).context).toEqual({ attempt: 1 });
        expect(ran).toEqual(['top', 'before', 'top', 'after']);
        expect(suspending).toEqual([true, false]);
        expect((await stepsOf(tenant, id)).map(({ name, status }) => [name, status])).toEqual([
          ['before', 'Done'],
          ['pause', 'Done'],
          ['after', 'Done'],
        ]);
      };
    }),
  );

  it(
    'goes on by itself',
    inTenant((serve) => {
      const workflow = serve(
        ofTask(async (context) => {
          await context.sleep('short', 50);
          await context.sleep('past', { until: new Date(0) });
          await context.sleep('none', 0);
          return { done: true };
        }),
      );
      return async ({ runner }) => {
        expect((await runner.execute(workflow, {})).context).toEqual({ done: true });
      };
    }),
  );

  it(
    'that is woken without a reason sleeps again, until its first end',
    inTenant((serve) => {
      let runs = 0;
      const workflow = serve(
        ofTask(async (context) => {
          runs++;
          await context.sleep('pause', '3d');
        }),
      );
      return async (tenant) => {
        const { id } = await tenant.runner.start(workflow, {});
        await waits(tenant, id);
        const due = (): Promise<unknown> =>
          tenant.query('SELECT due_at FROM cloacina_task_step WHERE execution_id = $1', [id]);
        const before = await due();
        await tenant.engine.store.wake([{ executionId: id, taskNo: 0, itemNo: 0 }]);
        tenant.engine.claimAvailable();
        await waitFor(() => runs === 2);
        await waits(tenant, id);
        expect(await due()).toEqual(before);
        await tenant.runner.cancel(id);
        expect((await tenant.runner.get(id))?.tasks[0]).toMatchObject({ status: 'Cancelled' });
      };
    }),
  );

  it(
    'whose signal is caught sleeps all the same, and runs nothing behind it',
    inTenant((serve) => {
      const ran: string[] = [];
      const caught: boolean[] = [];
      const workflow = serve(
        ofTask(async (context) => {
          await context.sleep('pause', '3d').catch((error: unknown) => {
            caught.push(isSuspension(error));
          });
          await context.step('behind', () => void ran.push('behind')).catch(() => undefined);
          return { written: true };
        }),
      );
      return async (tenant) => {
        const { id } = await tenant.runner.start(workflow, {});
        await waits(tenant, id);
        expect([ran, caught]).toEqual([[], [true]]);
        expect(warnings.join('\n')).toMatch(/returned although a wait had suspended it/);
        await tenant.runner.cancel(id);
      };
    }),
  );

  it(
    'waits for the steps beside it before the task gives up its claim',
    inTenant((serve) => {
      const workflow = serve(
        ofTask(async (context) => {
          await Promise.all([
            context.sleep('pause', '3d'),
            context.step('slow', async () => {
              await new Promise((resolve) => setImmediate(resolve));
              return 'recorded';
            }),
          ]);
        }),
      );
      return async (tenant) => {
        const { id } = await tenant.runner.start(workflow, {});
        await waits(tenant, id);
        expect((await stepsOf(tenant, id)).map(({ name, status }) => [name, status])).toEqual(
          expect.arrayContaining([
            ['pause', 'Open'],
            ['slow', 'Done'],
          ]),
        );
        await tenant.runner.cancel(id);
      };
    }),
  );

  it('in a transactional task rolls the transaction back first', async () => {
    const workflow = ofTask(
      async (context) => {
        await context.manager.query('INSERT INTO effect VALUES (1)');
        await context.sleep('pause', '3d');
      },
      { transactional: true },
    );
    const tenant = await openTenant([workflow]);
    await tenant.query('CREATE TABLE effect (n integer)');
    const { id } = await tenant.runner.start(workflow, {});
    await waits(tenant, id);
    expect(await tenant.query('SELECT FROM effect')).toEqual([]);
    await tenant.query('UPDATE cloacina_task_step SET due_at = now()');
    await makeDue(tenant, id);
    await tenant.runner.handle(id).result();
    expect(await tenant.query('SELECT FROM effect')).toHaveLength(1);
  });

  it('outlives its process', async () => {
    const schema = freshSchema();
    const hosts: string[] = [];
    const on = (host: string) =>
      defineWorkflow('moves')
        .task('only', {}, async (context) => {
          hosts.push(host);
          await context.sleep('pause', '3d');
          return { host };
        })
        .build();
    const one = await openTenant([on('one')], { schema });
    const { id } = await one.runner.start('moves', {});
    await waits(one, id);
    expect(await one.query('SELECT FROM cloacina_runner_lease')).toHaveLength(
      (await one.query('SELECT FROM cloacina_runner_lease')).length,
    );
    await one.close();
    const two = await openTenant([on('two')], { schema });
    await two.query('UPDATE cloacina_task_step SET due_at = now()');
    await makeDue(two, id);
    expect((await two.runner.handle(id).result()).context).toEqual({ host: 'two' });
    expect(hosts).toEqual(['one', 'two']);
  });

  it(
    'ends with the timeout of its workflow',
    inTenant((serve) => {
      const workflow = serve(
        defineWorkflow('sleeps-too-long', { timeout: '1h' })
          .task('only', {}, async (context) => {
            await context.sleep('pause', '3d');
            return {};
          })
          .build(),
      );
      return async (tenant) => {
        const { id } = await tenant.runner.start(workflow, {});
        await waits(tenant, id);
        await tenant.query(
          'UPDATE cloacina_workflow_execution SET deadline_at = now() WHERE id = $1',
          [id],
        );
        await tenant.engine.enforceDeadlines();
        expect(await tenant.runner.handle(id).result({ settled: true })).toMatchObject({
          status: 'Failed',
          error: { code: 'WORKFLOW_TIMEOUT' },
        });
      };
    }),
  );
});

describe('a manual retry', () => {
  it(
    'keeps the steps of a task with the same input, and discards them on request',
    inTenant((serve) => {
      let ran = 0;
      let fails = true;
      const workflow = serve(
        ofTask(
          async (context) => {
            const n = await context.step('made', () => ++ran);
            if (fails) throw new Error('no');
            return { n };
          },
          { retry: { maxAttempts: 1 } },
        ),
      );
      return async ({ runner }) => {
        const { id } = await runner.start(workflow, {});
        await runner.handle(id).result({ settled: true });
        await runner.retry(id);
        await runner.handle(id).result({ settled: true });
        expect(ran).toBe(1);
        fails = false;
        await runner.retry(id, { steps: 'discard' });
        expect((await runner.handle(id).result()).context).toEqual({ n: 2 });
        await expect(runner.retry(id, { steps: 'some' as 'keep' })).rejects.toMatchObject({
          code: 'INVALID_ARGUMENT',
        });
      };
    }),
  );

  it(
    'discards those of a task whose input is made anew',
    inTenant((serve) => {
      const made: string[] = [];
      let fails = true;
      const workflow = serve(
        defineWorkflow(`steps-${++workflows}`)
          .task('first', { retry: { maxAttempts: 1 } }, async (context) => {
            await context.step('one', () => void made.push('one'));
            return {};
          })
          .task('second', { dependsOn: ['first'], retry: { maxAttempts: 1 } }, async (context) => {
            await context.step('two', () => void made.push('two'));
            if (fails) throw new Error('no');
            return {};
          })
          .build(),
      );
      return async ({ runner }) => {
        const { id } = await runner.start(workflow, {});
        await runner.handle(id).result({ settled: true });
        fails = false;
        await runner.retry(id);
        await runner.handle(id).result();
        // The second task's dependency was kept, so its steps are too.
        expect(made).toEqual(['one', 'two']);
      };
    }),
  );
});
