import { afterAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import type { TaskContext } from '../../../lib/discovery/task-context.js';
import type { WorkflowDefinition } from '../../../lib/discovery/workflow-builder.js';
import { gate } from '../../support/gate.js';
import { type OpenTenant, openTenant, sharedTenant } from '../../support/open-tenant.js';
import { freshSchema } from '../../support/postgres.js';
import { waitFor } from '../../support/wait-for.js';

interface Row {
  status: string;
  attempt: number;
  owner: string | null;
  in_ms: number;
}

/** The row of the execution's task once it waits for its condition. */
async function deferred({ query }: OpenTenant, id: string): Promise<Row> {
  return waitFor(async () => {
    const [row] = await query<Row>(
      `SELECT status, attempt, owner, extract(epoch FROM run_at - now())::float * 1000 AS in_ms
       FROM cloacina_task_execution
       WHERE execution_id = $1 AND deferred_since IS NOT NULL AND status = 'Ready'`,
      [id],
    );
    return row;
  });
}

/** Lets the deferred task be due, and its deferral have begun so long ago. */
async function hurry(tenant: OpenTenant, id: string, deferredForMs = 0): Promise<void> {
  await tenant.query(
    `UPDATE cloacina_task_execution
     SET run_at = now(), deferred_since = deferred_since - $2 * interval '1 millisecond' WHERE execution_id = $1`,
    [id, deferredForMs],
  );
  tenant.engine.claimAvailable();
}

let waits = 0;

function waitingFor(
  condition: (host: string) => boolean,
  host = 'one',
  options: Parameters<TaskContext['deferUntil']>[1] = { every: '1h' },
  name = `waiting-${++waits}`,
): WorkflowDefinition {
  return defineWorkflow(name)
    .task('only', { retry: { maxAttempts: 2, delay: 1 } }, async (context) => {
      context.set('lost', host);
      context.delete('given');
      await context.deferUntil(() => condition(host), options);
      return { host, attempt: context.attempt };
    })
    .build();
}

const inTenant = sharedTenant();

describe('deferUntil', () => {
  it(
    'goes on at once when the condition holds',
    inTenant((serve) => {
      const workflow = serve(waitingFor(() => true));
      return async ({ runner }) => {
        const { context } = await runner.execute(workflow, { given: 1 });
        expect(context).toEqual({ lost: 'one', host: 'one', attempt: 1 });
      };
    }),
  );

  it('gives the slot and the claim back, costs no attempt, and drops what the run wrote', async () => {
    let holds = false;
    const workflow = waitingFor(() => holds);
    const tenant = await openTenant([workflow], { maxConcurrentTasks: 1 });
    const handle = await tenant.runner.start(workflow, { given: 1 });
    const row = await deferred(tenant, handle.id);
    expect(row).toMatchObject({ attempt: 0, owner: null });
    expect(row.in_ms).toBeGreaterThan(3_500_000);
    await waitFor(() => !tenant.engine.isBusy);
    expect(await tenant.runner.get(handle.id)).toMatchObject({
      context: { given: 1 },
      tasks: [
        {
          status: 'Ready',
          attempts: [],
          waitingFor: {
            reason: 'condition',
            detail: expect.stringMatching(/^The condition of its deferUntil\(\) was false; /),
          },
        },
      ],
    });
    holds = true;
    await hurry(tenant, handle.id);
    const { context, tasks } = await handle.result();
    expect(context).toEqual({ lost: 'one', host: 'one', attempt: 1 });
    expect(tasks[0]).toMatchObject({ attempt: 1, attempts: [{ attempt: 1 }] });
  });

  it(
    'looks again every so often, by itself',
    inTenant((serve) => {
      let looks = 0;
      const workflow = serve(waitingFor(() => ++looks === 4, 'one', { every: 20 }));
      return async ({ runner }) => {
        const result = await runner.execute(workflow, {}, { timeout: '60s' });
        expect(looks).toBe(4);
        expect(result.tasks[0]).toMatchObject({ status: 'Completed', attempt: 1 });
      };
    }),
  );

  it('survives the process', async () => {
    const schema = freshSchema();
    const condition = (host: string): boolean => host === 'two';
    const one = await openTenant([waitingFor(condition, 'one', undefined, 'waiting')], { schema });
    const { id } = await one.runner.start('waiting');
    await deferred(one, id);
    await one.close();
    const two = await openTenant([waitingFor(condition, 'two', undefined, 'waiting')], { schema });
    await hurry(two, id);
    const { context } = await two.runner.handle(id).result();
    expect(context).toEqual({ lost: 'two', host: 'two', attempt: 1 });
  });

  it(
    'swallowed by the handler changes nothing',
    inTenant((serve) => {
      let holds = false;
      const workflow = serve(
        defineWorkflow('swallowing')
          .task('only', async (context) => {
            try {
              await context.deferUntil(() => holds, { every: '1h' });
            } catch {
              // Swallowed.
            }
            return { ran: true };
          })
          .build(),
      );
      return async (tenant) => {
        const handle = await tenant.runner.start(workflow);
        await deferred(tenant, handle.id);
        expect((await tenant.runner.get(handle.id))?.context).toEqual({});
        holds = true;
        await hurry(tenant, handle.id);
        expect((await handle.result()).context).toEqual({ ran: true });
      };
    }),
  );

  it(
    'not awaited, or turned into another error, changes nothing either',
    inTenant((serve) => {
      const workflow = serve(
        defineWorkflow('turning')
          .task('only', { retry: { maxAttempts: 1 } }, async (context) => {
            await context
              .deferUntil(() => false, { every: '1h' })
              .catch(() => Promise.reject(new Error('another')));
          })
          .build(),
      );
      return async (tenant) => {
        const { id } = await tenant.runner.start(workflow);
        expect(await deferred(tenant, id)).toMatchObject({ status: 'Ready', attempt: 0 });
      };
    }),
  );

  it(
    'in a transactional task rolls back first',
    inTenant((serve) => {
      let holds = false;
      const workflow = serve(
        defineWorkflow('in-transaction')
          .task('only', { transactional: true }, async (context) => {
            await context.manager.query('INSERT INTO note (text) VALUES ($1)', [String(holds)]);
            await context.deferUntil(() => holds, { every: '1h' });
          })
          .build(),
      );
      return async (tenant) => {
        await tenant.query('CREATE TABLE note (text text)');
        const handle = await tenant.runner.start(workflow);
        await deferred(tenant, handle.id);
        expect(await tenant.query('SELECT * FROM note')).toEqual([]);
        holds = true;
        await hurry(tenant, handle.id);
        expect((await handle.result()).status).toBe('Completed');
        expect(await tenant.query('SELECT * FROM note')).toEqual([{ text: 'true' }]);
      };
    }),
  );

  it('has a timeout that counts from the first deferral, whichever processes look', async () => {
    const schema = freshSchema();
    const options = { every: '1h', timeout: '1d' };
    const one = await openTenant([waitingFor(() => false, 'one', options, 'waiting')], { schema });
    const { id } = await one.runner.start('waiting');
    await deferred(one, id);
    await one.close();
    const two = await openTenant([waitingFor(() => false, 'two', options, 'waiting')], { schema });
    // 23.5 hours later it is not over, and the next look comes when it is, not an hour later.
    await hurry(two, id, 23.5 * 3_600_000);
    const half = await waitFor(async () => {
      const row = await deferred(two, id);
      return row.in_ms > 1_000 ? row : undefined;
    });
    expect(half.in_ms).toBeGreaterThan(1_700_000);
    expect(half.in_ms).toBeLessThanOrEqual(1_800_000);
    await hurry(two, id, 1_800_000);
    // One timeout is the whole wait, whatever attempts the task has.
    expect(await two.runner.handle(id).result({ settled: true })).toMatchObject({
      status: 'Failed',
      error: { name: 'DeferralTimeoutError', code: 'DEFERRAL_TIMEOUT' },
      tasks: [{ attempt: 1 }],
    });
  });

  it(
    'gives what the condition found',
    inTenant((serve) => {
      let parcel: { id: number } | undefined;
      const workflow = serve(
        defineWorkflow('finding')
          .task('only', async (context) => {
            const { id } = await context.deferUntil(() => parcel, { every: '1h' });
            // `true` is no result: a handler may return the call.
            const nothing = await context.deferUntil(() => true);
            return { id, nothing };
          })
          .build(),
      );
      return async (tenant) => {
        const handle = await tenant.runner.start(workflow);
        await deferred(tenant, handle.id);
        parcel = { id: 7 };
        await hurry(tenant, handle.id);
        expect((await handle.result()).context).toEqual({ id: 7 });
      };
    }),
  );

  describe('without await', () => {
    const warnings: string[] = [];
    const warn = jest.spyOn(Logger.prototype, 'warn').mockImplementation((text: string) => {
      warnings.push(text);
    });
    beforeEach(() => void (warnings.length = 0));
    afterAll(() => warn.mockRestore());

    it(
      'puts the task off nevertheless, ends no process, and is a warning',
      inTenant((serve) => {
        let holds = false;
        const careless = (transactional: boolean): WorkflowDefinition =>
          serve(
            defineWorkflow(`careless ${transactional}`)
              .task('only', { transactional }, (context) => {
                const condition = async (): Promise<boolean> => {
                  await new Promise((resolve) => setImmediate(resolve));
                  return holds;
                };
                void context.deferUntil(condition, { every: '1h' });
                return { went: 'on' };
              })
              .build(),
          );
        const workflows = [careless(false), careless(true)];
        return async (tenant) => {
          for (const workflow of workflows) {
            holds = false;
            const handle = await tenant.runner.start(workflow);
            await deferred(tenant, handle.id);
            expect(warnings.splice(0)).toEqual([
              expect.stringMatching(/^Task "only": it returned without waiting for deferUntil/),
            ]);
            holds = true;
            await hurry(tenant, handle.id);
            expect((await handle.result()).context).toEqual({ went: 'on' });
            warnings.length = 0;
          }
        };
      }),
    );

    it(
      'or with its signal caught, is a warning too',
      inTenant((serve) => {
        const workflow = serve(
          defineWorkflow('catching')
            .task('only', (context) =>
              context.deferUntil(() => false, { every: '1h' }).catch(() => undefined),
            )
            .build(),
        );
        return async (tenant) => {
          await deferred(tenant, (await tenant.runner.start(workflow)).id);
          expect(warnings).toEqual([expect.stringMatching(/it returned although deferUntil/)]);
        };
      }),
    );

    it(
      'a write after the return is a warning, once, and stores nothing',
      inTenant((serve) => {
        const late = gate();
        const workflow = serve(
          defineWorkflow('late')
            .task('only', (context) => {
              void late.passed.then(() => {
                context.set('late', 1);
                context.delete('late');
              });
              return { early: 1 };
            })
            .build(),
        );
        return async (tenant) => {
          const handle = await tenant.runner.start(workflow);
          expect((await handle.result()).context).toEqual({ early: 1 });
          expect(warnings).toEqual([]);
          late.open();
          await waitFor(() => warnings.length > 0);
          expect(warnings).toEqual([
            expect.stringMatching(/^Task "only": it changed the context key "late"/),
          ]);
          expect((await tenant.runner.get(handle.id))?.context).toEqual({ early: 1 });
        };
      }),
    );
  });

  const bad: readonly [string, object][] = [
    ['every', { every: 'soon' }],
    ['timeout', { timeout: -1 }],
    ['evry', { evry: '1s' }],
  ];
  for (const [argument, options] of bad) {
    it(
      `refuses a bad ${argument}`,
      inTenant((serve) => {
        const workflow = serve(waitingFor(() => true, 'one', options));
        return async ({ runner }) => {
          const { error } = await runner.execute(workflow, {}, { settled: true });
          expect(error).toMatchObject({
            code: 'INVALID_ARGUMENT',
            message: expect.stringContaining(argument),
          });
        };
      }),
    );
  }

  it(
    'passes on what the condition throws',
    inTenant((serve) => {
      const workflow = serve(
        waitingFor(() => {
          throw new Error('no answer');
        }),
      );
      return async ({ runner }) => {
        expect((await runner.execute(workflow, {}, { settled: true })).error).toMatchObject({
          message: 'no answer',
        });
      };
    }),
  );
});
