import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import { defineEvent } from '../../../lib/discovery/message-definitions.js';
import type { WorkflowDefinition } from '../../../lib/discovery/workflow-builder.js';

export const Paid = defineEvent<{ readonly n: number }>('paid');

/** A workflow that each event starts. */
export function receipts(): WorkflowDefinition {
  return defineWorkflow<{ n: number }>('receipts')
    .startOn(Paid)
    .task('print', (context) => ({ printed: context.require('n') }))
    .build();
}
