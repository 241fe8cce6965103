import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import { defineEvent } from '../../../lib/discovery/message-definitions.js';
import type { WorkflowDefinition } from '../../../lib/discovery/workflow-builder.js';

export const Bell = defineEvent<{ readonly n: number }>('bell');

/** A workflow whose executions all wait for one event. */
export function listening(): WorkflowDefinition {
  return defineWorkflow('listening')
    .task('wait', async (context) => ({ n: (await context.waitFor(Bell, { key: 'noon' })).n }))
    .build();
}
