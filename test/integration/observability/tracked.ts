import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import type { WorkflowDefinition } from '../../../lib/discovery/workflow-builder.js';

/** Two tasks. `pass` is called in the first of them. */
export function tracked(pass: () => void): WorkflowDefinition {
  return defineWorkflow('tracked')
    .task('first', () => pass())
    .task('second', { dependsOn: ['first'] }, () => undefined)
    .build();
}
