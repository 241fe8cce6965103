import { existsSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import type { WorkflowDefinition } from '../../../lib/discovery/workflow-builder.js';

/** Number of children of the parent, of which one is started without a wait. */
export const CHILDREN = 4;

/**
 * A parent, and children that go on when a file exists.
 *
 * @param note - called with the name of a child's handler that has ended, and with that of the parent
 */
export function family(gate: string, note: (what: string) => void): WorkflowDefinition[] {
  const once = { retry: { maxAttempts: 1 } } as const;
  const child = defineWorkflow<{ n: number }>('child')
    .task('work', once, async (context) => {
      while (!existsSync(gate) && !context.signal.aborted) await delay(5);
      context.signal.throwIfAborted();
      note(`child ${context.get('n')}`);
      return { value: context.get('n') };
    })
    .build();
  const parent = defineWorkflow('parent')
    .task('join', once, async (context) => {
      await context.start(child, { n: 0 }, { name: 'aside' });
      const calls = Array.from({ length: CHILDREN - 1 }, (_, i) => [child, { n: i + 1 }] as const);
      const values = await context.executeAll(calls);
      note('parent');
      return { sum: values.reduce((sum, { value }) => sum + value, 0) };
    })
    .build();
  return [child, parent];
}
