import { describeDefinition } from '../../discovery/build-registration.js';
import { defineWorkflow } from '../../discovery/define-workflow.js';
import type { RegisteredWorkflow } from '../../discovery/registered-workflow.js';
import type { TaskContext } from '../../discovery/task-context.js';
import { BuiltWorkflow } from '../../discovery/workflow-builder.js';
import type { BulkPosition } from '../../store/port/index.js';
import { BUILT_IN_PREFIX, MAX_PRIORITY } from '../../workflow/index.js';
import type { BulkContext, BulkResult } from './bulk-options.js';
import { restoreOperation, type StoredOperation } from './bulk-operation.js';

/** The name of the workflow that runs bulk operations in the background. */
export const BULK_WORKFLOW = `${BUILT_IN_PREFIX}bulk`;

/** The input, and what the task adds to it. */
type Context = Pick<BulkContext, 'operation'>;

/**
 * The workflow that runs bulk operations in the background, with a step for each page. A run after a crash continues behind the
 * last recorded page. It repeats the page that was under way: executions that are changed already no longer match its
 * filter, so `changed` may then be too small by up to a page.
 *
 * Its definition is part of its stored hash: a change of it makes a new one beside those of running operations.
 */
const definition = defineWorkflow<Context>(BULK_WORKFLOW, {
  description: 'Changes many executions, page by page.',
})
  .task(
    'run',
    { priority: MAX_PRIORITY, timeout: '7d', retry: { maxAttempts: 10, maxDelay: '1m' } },
    (context) => run(context),
  )
  .build();

/** The workflows that the library brings along. */
export function builtInWorkflows(): RegisteredWorkflow[] {
  if (!(definition instanceof BuiltWorkflow)) return [];
  const { registered } = describeDefinition({ definition, module: 'nestjs-cloacina' });
  return registered === undefined ? [] : [registered];
}

async function run(context: TaskContext<Context>): Promise<BulkResult & Record<string, unknown>> {
  const operation = restoreOperation(context.require('operation') as StoredOperation);
  const { bulk } = context.runner;
  const total = await context.step('count', () => bulk.count(operation));
  const sum = { matched: 0, changed: 0 };
  let after: BulkPosition | null = operation.from;
  for (let key = 1; after !== null; key++) {
    const from: BulkPosition = after;
    const { next, matched, changed } = await context.step('page', { key }, () =>
      bulk.page(operation, { from, total, key: context.executionId, signal: context.signal }),
    );
    sum.matched += matched;
    sum.changed += changed;
    context.progress({ done: sum.matched, total });
    after = next;
  }
  return sum;
}
