// Compiled, never run. What follows each `@ts-expect-error` must be refused, with that code: see types.spec.ts.
import type { StandardSchemaV1 } from '@standard-schema/spec';
import { defineWorkflow } from '../../lib/discovery/define-workflow.js';
import { defineEvent, defineSignal } from '../../lib/discovery/message-definitions.js';
import { StartOn } from '../../lib/discovery/start-on.decorator.js';
import type { TaskContext } from '../../lib/discovery/task-context.js';
import { Task } from '../../lib/discovery/task.decorator.js';
import { Workflow } from '../../lib/discovery/workflow.decorator.js';

declare const schema: StandardSchemaV1<
  { invoiceId: string; amount?: number },
  { invoiceId: string }
>;

const Paid = defineEvent<{ amount: number }>('paid');
const Stop = defineSignal<{ amount: number }>('stop');

@StartOn(Paid, {
  input: ({ amount }, { key }) => ({ invoiceId: key, amount }),
  key: (_, { key }) => key,
})
@StartOn(defineEvent<{ invoiceId: string }>('with the input'))
@StartOn(Paid, { input: async ({ amount }) => (amount > 0 ? { invoiceId: 'x' } : undefined) })
// @ts-expect-error TS1238 the payload is not the input
@StartOn(Paid)
// @ts-expect-error TS1238 the input lacks the id
@StartOn(Paid, { input: ({ amount }) => ({ amount }) })
// @ts-expect-error TS2769 a key is a text
@StartOn(Paid, { input: () => ({ invoiceId: 'x' }), key: ({ amount }) => amount })
@Workflow({ name: 'checked' })
export class Checked {
  static readonly input = schema;

  @Task()
  run(_context: TaskContext<{ invoiceId: string }>) {}
}

/** Without a schema, any key of the context may be in the input. */
@StartOn(Paid)
// @ts-expect-error TS1238 of another type
@StartOn(Paid, { input: () => ({ amount: 'x' }) })
@Workflow({ name: 'plain' })
export class Plain {
  @Task()
  run(_context: TaskContext<{ amount: number; note?: string }>) {}
}

// @ts-expect-error TS2345 a signal starts nothing
export const bySignal = StartOn(Stop);

export const built = defineWorkflow('built', { input: schema })
  .startOn(Paid, { input: ({ amount }, { key }) => ({ invoiceId: key, amount }) })
  .startOn(defineEvent<{ invoiceId: string }>('fits'))
  .task('first', () => ({ done: true }))
  // @ts-expect-error TS2554 the payload is not the input
  .startOn(Paid)
  // @ts-expect-error TS2322 the input lacks the id
  .startOn(Paid, { input: () => ({ amount: 1 }) })
  .task('second', { dependsOn: ['first'] }, (context) => ({ seen: context.get('done') }))
  .build();
