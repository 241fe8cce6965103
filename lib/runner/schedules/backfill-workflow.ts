import { describeDefinition } from '../../discovery/build-registration.js';
import { defineWorkflow } from '../../discovery/define-workflow.js';
import type { RegisteredWorkflow } from '../../discovery/registered-workflow.js';
import type { TaskContext } from '../../discovery/task-context.js';
import { BuiltWorkflow } from '../../discovery/workflow-builder.js';
import type { BackfillPosition } from '../../engine/schedules/backfill-runner.js';
import { BUILT_IN_PREFIX } from '../../workflow/index.js';
import type { BulkContext, BulkResult } from '../bulk/bulk-options.js';
import type { BackfillOperation } from './backfill-operation.js';

/** The name of the workflow that runs backfills in the background. */
export const BACKFILL_WORKFLOW = `${BUILT_IN_PREFIX}backfill`;

/** Instants of a step. */
const PAGE = 1_000;

/** The input, and what the task adds to it. */
type Context = Pick<BulkContext, 'operation'>;

/**
 * The workflow that runs backfills in the background, with a step for each page. A run after a crash continues behind the last
 * recorded page. It repeats the page that was under way, where instants that have an execution are passed over: `changed`
 * may then be too small by up to a page.
 */
const definition = defineWorkflow<Context>(BACKFILL_WORKFLOW, {
  description: 'Starts the executions of a schedule for times that are past.',
})
  .task('run', { timeout: '7d', retry: { maxAttempts: 10, maxDelay: '1m' } }, (context) =>
    run(context),
  )
  .build();

/** The workflows that schedules bring along. */
export function scheduleWorkflows(): RegisteredWorkflow[] {
  if (!(definition instanceof BuiltWorkflow)) return [];
  const { registered } = describeDefinition({ definition, module: 'nestjs-cloacina' });
  return registered === undefined ? [] : [registered];
}

async function run(context: TaskContext<Context>): Promise<BulkResult & Record<string, unknown>> {
  const operation = context.require('operation') as BackfillOperation;
  const { backfills } = context.runner.schedules;
  const sum = { matched: 0, changed: 0 };
  let position: BackfillPosition | null = { after: operation.after, lastExecutionId: null };
  for (let key = 1; position !== null; key++) {
    const from: BackfillPosition = position;
    const { next, matched, changed } = await context.step('page', { key }, () =>
      backfills.page(operation, from, PAGE, context.signal),
    );
    sum.matched += matched;
    sum.changed += changed;
    context.progress({ done: sum.matched, total: operation.total });
    position = next;
  }
  return sum;
}
