import { describe, expect, it } from '@jest/globals';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import type { TaskContext } from '../../../lib/discovery/task-context.js';
import {
  InvalidArgumentError,
  NotAllowedError,
  UnknownExecutionError,
} from '../../../lib/errors/index.js';
import type { ExecutionUpdate } from '../../../lib/runner/execution.js';
import { gate } from '../../support/gate.js';
import { openTenant, sharedTenant } from '../../support/open-tenant.js';
import { freshSchema } from '../../support/postgres.js';

const inTenant = sharedTenant();
let workflows = 0;
const UNKNOWN = '01900000-0000-7000-8000-000000000000';

function twoTasks(first: (context: TaskContext) => unknown, second: () => unknown) {
  return defineWorkflow(`watch-${++workflows}`)
    .task('first', first as () => Promise<object>)
    .task('second', { dependsOn: ['first'] }, second as () => Promise<object>)
    .build();
}

/** Reads updates until one of them fits; returns it. Fails if the iteration ends before. */
async function until(
  updates: AsyncIterator<ExecutionUpdate>,
  fits: (update: ExecutionUpdate) => boolean,
): Promise<ExecutionUpdate> {
  for (;;) {
    const { done, value } = await updates.next();
    if (done === true) throw new Error('The iteration has ended.');
    if (fits(value)) return value;
  }
}

const statusOf = ({ tasks }: ExecutionUpdate, name: string) =>
  tasks.find((task) => task.name === name)?.status;

describe('watch()', () => {
  it(
    'begins with the present state, follows tasks and progress, and ends with the execution',
    inTenant((serve) => {
      const [one, two] = [gate(), gate()];
      const workflow = serve(
        twoTasks(
          async (context) => {
            await context.step('made', () => 17);
            context.progress({ done: 1 });
            await one.passed;
            return { big: 'x'.repeat(1_000) };
          },
          () => two.passed,
        ),
      );
      return async ({ runner }) => {
        const { id } = await runner.start(workflow, {});
        const updates = runner.watch(id)[Symbol.asyncIterator]();
        const { value: present } = await updates.next();
        expect(present).toMatchObject({ id, workflow: workflow.name });
        expect(present).not.toHaveProperty('context');
        await until(updates, ({ tasks }) => tasks[0]?.progress !== undefined);
        const [task] = (await runner.get(id))!.tasks;
        expect(task!.steps).toEqual([
          expect.objectContaining({ name: 'made', kind: 'step', status: 'Done' }),
        ]);
        expect(task!.steps![0]).not.toHaveProperty('result');
        const whole = await runner.get(id, { stepResults: true });
        expect(whole!.tasks[0]!.steps).toMatchObject([{ name: 'made', result: 17 }]);
        await expect(runner.get(id, { stepResults: 1 as never })).rejects.toThrow(
          InvalidArgumentError,
        );
        one.open();
        const half = await until(updates, (update) => statusOf(update, 'first') === 'Completed');
        expect(half).toMatchObject({
          status: 'Running',
          tasks: [{ name: 'first', steps: [{ name: 'made' }] }, {}],
        });
        two.open();
        const last = await until(updates, ({ status }) => status === 'Completed');
        expect(last.completedAt).toBeInstanceOf(Date);
        expect(await updates.next()).toEqual({ done: true, value: undefined });
      };
    }),
  );

  it(
    'yields one state of an execution that has ended',
    inTenant((serve) => {
      const workflow = serve(
        twoTasks(
          () => ({}),
          () => ({}),
        ),
      );
      return async ({ runner }) => {
        const { id } = await runner.execute(workflow, {});
        const states: string[] = [];
        for await (const { status } of runner.watch(id)) states.push(status);
        expect(states).toEqual(['Completed']);
      };
    }),
  );

  it(
    'gives a slow reader the latest state only, and ends for an aborted signal',
    inTenant((serve) => {
      const end = gate();
      const workflow = serve(
        twoTasks(
          () => end.passed,
          () => ({}),
        ),
      );
      return async ({ runner }) => {
        const { id } = await runner.start(workflow, {});
        const closing = new AbortController();
        const slow = runner.watch(id)[Symbol.asyncIterator]();
        const aborted = runner.watch(id, { signal: closing.signal })[Symbol.asyncIterator]();
        await slow.next();
        await until(aborted, (update) => statusOf(update, 'first') === 'Running');
        const next = aborted.next();
        closing.abort();
        expect(await next).toEqual({ done: true, value: undefined });
        end.open();
        await runner.handle(id).result();
        for await (const _ of runner.watch(id));
        const { value } = await slow.next();
        expect(value).toMatchObject({ status: 'Completed' });
        expect(await slow.next()).toMatchObject({ done: true });
      };
    }),
  );

  it(
    'refuses unknown executions, bad options and tasks',
    inTenant((serve) => {
      const refused: unknown[] = [];
      const workflow = serve(
        twoTasks(
          (context) => {
            try {
              (context.runner as unknown as { watch(id: string): unknown }).watch(UNKNOWN);
            } catch (error) {
              refused.push(error);
            }
          },
          () => ({}),
        ),
      );
      return async ({ runner }) => {
        for (const id of [UNKNOWN, 'none']) {
          const updates = runner.watch(id)[Symbol.asyncIterator]();
          await expect(updates.next()).rejects.toThrow(UnknownExecutionError);
        }
        expect(() => runner.watch(17 as never)).toThrow(InvalidArgumentError);
        expect(() => runner.watch(UNKNOWN, { signal: 'no' as never })).toThrow(
          InvalidArgumentError,
        );
        expect(() => runner.watch(UNKNOWN, { until: 1 } as never)).toThrow(InvalidArgumentError);
        await runner.execute(workflow, {});
        expect(refused).toEqual([expect.any(NotAllowedError)]);
      };
    }),
  );

  it('hears in a process that runs no tasks what another one stores', async () => {
    const [end, last] = [gate(), gate()];
    const workflow = twoTasks(
      async (context) => {
        context.progress('begun');
        await end.passed;
      },
      () => last.passed,
    );
    const schema = freshSchema();
    const worker = await openTenant([workflow], { schema });
    const onlooker = await openTenant([workflow], { schema, maxConcurrentTasks: 0 });
    const { id } = await worker.runner.start(workflow, {});
    const updates = onlooker.runner.watch(id)[Symbol.asyncIterator]();
    // Far less than the interval of the regular reads passes between these: notifications bring them.
    await until(updates, ({ tasks }) => tasks[0]?.progress?.value === 'begun');
    end.open();
    await until(updates, (update) => statusOf(update, 'first') === 'Completed');
    last.open();
    await until(updates, ({ status }) => status === 'Completed');
    expect(await updates.next()).toMatchObject({ done: true });
  });
});
