import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import type { WorkflowDefinition } from '../../../lib/discovery/workflow-builder.js';
import { NonRetryableError } from '../../../lib/errors/index.js';

/** Number of items that are stored in two parts. */
export const ITEMS = 5_020;
/** The item of the map `fast` that fails. */
const FAILS = 3;

/**
 * Maps: one that stores `count` items in parts and goes on behind the last one, and one that ends with its first failure.
 *
 * @param note - called with the name of a handler that has ended
 */
export function mapping(note: (what: string) => void): WorkflowDefinition[] {
  const mapped = defineWorkflow<{ count: number }>('mapped')
    .map(
      'each',
      {
        maxItems: ITEMS,
        items: function* (context, from) {
          for (let n = from?.count ?? 0; n < context.require('count'); n++) yield n;
        },
      },
      ({ item }) => {
        note(`${item}`);
        return item;
      },
    )
    .task('join', { dependsOn: ['each'] }, async (context) => {
      let sum = 0;
      for await (const { value } of context.results<number>('each')) sum += value ?? 0;
      note('join');
      return { sum };
    })
    .build();
  const fast = defineWorkflow('fast')
    .map(
      'each',
      { items: () => Array.from({ length: 200 }, (_, n) => n), onItemFailure: 'failFast' },
      async ({ item, signal }) => {
        if (item === FAILS) throw new NonRetryableError('fails');
        if (item > FAILS) await new Promise((resolve) => signal.addEventListener('abort', resolve));
      },
    )
    .build();
  return [mapped, fast];
}
