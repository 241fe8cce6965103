import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import { defineSignal } from '../../../lib/discovery/message-definitions.js';
import type { WorkflowDefinition } from '../../../lib/discovery/workflow-builder.js';

export const Item = defineSignal<number>('item');

/** A workflow of one task that takes `count` signals, one wait after the other, and returns what it got. */
export function mailbox(): WorkflowDefinition {
  return defineWorkflow<{ count: number }>('mailbox')
    .task('take', async (context) => {
      const got: number[] = [];
      for (let i = 0; i < context.require('count'); i++) {
        got.push(await context.waitFor(Item, { name: `item ${i}` }));
      }
      return { got };
    })
    .build();
}
