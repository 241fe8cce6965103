import { describe, expect, it } from '@jest/globals';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import type { TaskContext } from '../../../lib/discovery/task-context.js';
import { InvalidArgumentError } from '../../../lib/errors/index.js';
import { gate } from '../../support/gate.js';
import { sharedTenant, type OpenTenant } from '../../support/open-tenant.js';
import { waitFor } from '../../support/wait-for.js';

const inTenant = sharedTenant();
let workflows = 0;

function ofTask(run: (context: TaskContext) => unknown, options = {}) {
  return defineWorkflow(`progress-${++workflows}`)
    .task('only', options, run as (context: TaskContext) => Promise<object>)
    .build();
}

const rowsOf = ({ query }: OpenTenant, id: string): Promise<unknown[]> =>
  query('SELECT FROM cloacina_task_progress WHERE execution_id = $1', [id]);

describe('context.progress()', () => {
  it(
    'shows the latest value with the task, and is gone after its end',
    inTenant((serve) => {
      const end = gate();
      const workflow = serve(
        ofTask(async (context) => {
          for (let done = 1; done <= 1_000; done++) context.progress({ done, total: 1_000 });
          await end.passed;
        }),
      );
      return async (tenant) => {
        const { id } = await tenant.runner.start(workflow, {});
        const progress = async () => (await tenant.runner.get(id))?.tasks[0]?.progress;
        await waitFor(async () => (await progress()) !== undefined);
        expect(await progress()).toEqual({
          value: { done: 1_000, total: 1_000 },
          updatedAt: expect.any(Date),
        });
        end.open();
        await tenant.runner.handle(id).result();
        expect(await progress()).toBeUndefined();
        await waitFor(async () => (await rowsOf(tenant, id)).length === 0);
      };
    }),
  );

  it(
    'is seen before the transaction of the task commits',
    inTenant((serve) => {
      const end = gate();
      const workflow = serve(
        ofTask(
          async (context) => {
            context.progress('half');
            await end.passed;
          },
          { transactional: true },
        ),
      );
      return async (tenant) => {
        const { id } = await tenant.runner.start(workflow, {});
        const value = async () => (await tenant.runner.get(id))?.tasks[0]?.progress?.value;
        await waitFor(async () => (await value()) === 'half');
        end.open();
        await tenant.runner.handle(id).result();
      };
    }),
  );

  it(
    'refuses what is not JSON, what is too large, and nothing',
    inTenant((serve) => {
      const bad = [undefined, null, NaN, { at: new Map() }, 'x'.repeat(8_192)];
      const errors: unknown[] = [];
      const workflow = serve(
        ofTask((context) => {
          for (const value of bad) {
            try {
              context.progress(value);
            } catch (error) {
              errors.push(error);
            }
          }
          context.progress('x'.repeat(8_190));
        }),
      );
      return async (tenant) => {
        const { id } = await tenant.runner.execute(workflow, {});
        expect(errors).toHaveLength(bad.length);
        for (const error of errors) expect(error).toBeInstanceOf(InvalidArgumentError);
        expect(String(errors[3])).toContain('at at is a Map');
        // On a busy machine the task may last for a second. Its progress is then written, and deleted after its end.
        await waitFor(async () => (await rowsOf(tenant, id)).length === 0, { what: 'no row' });
      };
    }),
  );
});
