import { defineSignal } from '../../../lib/discovery/message-definitions.js';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import type { WorkflowDefinition } from '../../../lib/discovery/workflow-builder.js';

const Never = defineSignal('never');

/** A root with `width` children, each of which has `width` children that wait for ever. */
export function tree(width: number): WorkflowDefinition[] {
  const leaf = defineWorkflow('leaf')
    .task('wait', async (context) => {
      await context.waitFor(Never);
    })
    .build();
  const branch = defineWorkflow('branch')
    .task('join', async (context) => {
      await context.executeAll(Array.from({ length: width }, () => [leaf, {}] as const));
    })
    .build();
  const root = defineWorkflow('root')
    .task('join', async (context) => {
      await context.executeAll(Array.from({ length: width }, () => [branch, {}] as const));
    })
    .build();
  return [leaf, branch, root];
}

/** The number of executions of a tree. */
export function treeSize(width: number): number {
  return 1 + width + width ** 2;
}
