// Compiled, never run. What follows each `@ts-expect-error` must be refused, with that code: see types.spec.ts.
import { of } from 'rxjs';
import { z } from 'zod';
import { defineWorkflow } from '../../lib/discovery/define-workflow.js';
import type { TaskContext } from '../../lib/discovery/task-context.js';
import type { WorkflowBuilder } from '../../lib/discovery/workflow-builder.js';
import type { WorkflowContext } from '../../lib/discovery/workflow-ref.js';
import {
  all,
  always,
  any,
  contextValue,
  none,
  taskFailed,
  taskSkipped,
  taskSucceeded,
  type TriggerRule,
} from '../../lib/workflow/trigger-rule.js';

/** Exactly this type, not only assignable to it. */
declare function exactly<Expected>(): <Actual>(
  actual: Actual,
  ...same: (<T>() => T extends Actual ? 1 : 2) extends <T>() => T extends Expected ? 1 : 2
    ? []
    : [never]
) => void;

// --- without a schema: what dependencies return is known, other keys are unknown
const orders = defineWorkflow('orders')
  .task('price', async () => ({ total: 250, currency: 'EUR' }))
  .task('reserve', () => of({ shelf: 'A1' }))
  .task('audit', () => undefined);
orders.task('ship', { dependsOn: ['price', 'reserve'] }, (context) => {
  exactly<number>()(context.get('total'));
  exactly<string>()(context.require('shelf'));
  exactly<unknown>()(context.get('anything'));
  context.set('total', 300);
  // @ts-expect-error TS2345 a number
  context.set('total', '300');
  exactly<number>()(context.data.total);
});
orders.task('early', { dependsOn: ['audit'] }, (context) => {
  // Not a dependency's: another branch may not have run yet.
  exactly<unknown>()(context.get('total'));
});
orders
  .task('pay', { dependsOn: ['price'] }, () => ({ paid: true }))
  .task('thank', { dependsOn: ['pay'] }, (context) => {
    exactly<number>()(context.get('total'));
    exactly<boolean>()(context.get('paid'));
  });

// --- what a rule lets a task run without may be missing
orders.task('one', { dependsOn: ['price', 'reserve'], when: always() }, (context) => {
  exactly<number | undefined>()(context.get('total'));
});
orders.task('two', { dependsOn: ['price', 'reserve'], when: taskSucceeded('price') }, (context) => {
  exactly<number>()(context.get('total'));
  exactly<string | undefined>()(context.get('shelf'));
});
const large = all(taskSucceeded('price'), contextValue('total', 'greaterThan', 100));
orders.task('three', { dependsOn: ['price', 'reserve'], when: large }, (context) => {
  exactly<number>()(context.get('total'));
  exactly<string | undefined>()(context.get('shelf'));
});

// --- of a rule that is chosen at run time, each choice is possible
const chosen = (flag: boolean, rule: TriggerRule<'price'>, list: TriggerRule<'price'>[]) => {
  const one = flag ? taskSucceeded('price') : always();
  orders.task('some', { dependsOn: ['price'], when: one }, (context) => {
    exactly<number | undefined>()(context.get('total'));
  });
  const either = taskSucceeded(flag ? 'price' : 'reserve');
  orders.task('some', { dependsOn: ['price', 'reserve'], when: either }, (context) => {
    exactly<number | undefined>()(context.get('total'));
  });
  orders.task('some', { dependsOn: ['price'], when: all(one, one) }, (context) => {
    exactly<number | undefined>()(context.get('total'));
  });
  // The failure may be handled.
  const byRule = orders.task('some', { dependsOn: ['price'], when: rule }, () => {}).build();
  exactly<number | undefined>()(({} as WorkflowContext<typeof byRule>).total);
  exactly<string>()(({} as WorkflowContext<typeof byRule>).shelf);
  const within = orders.task('some', { dependsOn: ['price'], when: any(rule) }, () => {}).build();
  exactly<number | undefined>()(({} as WorkflowContext<typeof within>).total);
  const ofList = orders
    .task('some', { dependsOn: ['price'], when: all(...list) }, () => {})
    .build();
  exactly<number | undefined>()(({} as WorkflowContext<typeof ofList>).total);
  const noneOf = orders.task('some', { dependsOn: ['price'], when: none(rule) }, () => {}).build();
  exactly<number>()(({} as WorkflowContext<typeof noneOf>).total);
};

// --- names of tasks and keys
orders.task('four', { dependsOn: ['price'], when: any(taskFailed('price'), always()) }, () => {});
// @ts-expect-error TS2322 a rule names a dependency
orders.task('four', { dependsOn: ['price'], when: taskFailed('reserve') }, () => {});
// @ts-expect-error TS2322 also within a group
orders.task('four', { dependsOn: ['price'], when: none(taskSkipped('audit')) }, () => {});
// @ts-expect-error TS2820 a misspelt task
orders.task('four', { dependsOn: ['prise'] }, () => {});
const dynamic = (rule: TriggerRule<'price'>) =>
  orders.task('four', { dependsOn: ['price'], when: rule }, () => {});

// --- results
// @ts-expect-error TS2322 a result is an object of keys
orders.task('four', () => 'done');
// @ts-expect-error TS2322 nor an array
orders.task('four', () => [1]);
orders
  .task('maybe', (context) => (context.attempt > 1 ? { found: 1 } : undefined))
  .task('next', { dependsOn: ['maybe'] }, (context) => {
    exactly<number | undefined>()(context.get('found'));
  });
orders
  .task('perhaps', (context) => ({ found: context.attempt > 1 ? 1 : undefined }))
  .task('next', { dependsOn: ['perhaps'] }, (context) => {
    exactly<number | undefined>()(context.get('found'));
  });
orders
  .task('either', ({ attempt }) => (attempt > 1 ? { same: 1, left: 'l' } : { same: 'x' }))
  .task('next', { dependsOn: ['either'] }, (context) => {
    exactly<string | number>()(context.get('same'));
    exactly<string | undefined>()(context.get('left'));
  });
orders
  .task('stamp', () => ({ at: new Date(), log: [{ at: new Date() }] }))
  .task('next', { dependsOn: ['stamp'] }, (context) => {
    // What is read back is JSON.
    exactly<string>()(context.get('at'));
    exactly<string | undefined>()(context.get('log')[0]?.at);
  });
orders
  .task('again', { dependsOn: ['price'] }, () => ({ total: 'much' }))
  // Of several tasks that set a key, the types of all.
  .task('other', { dependsOn: ['price'] }, () => ({ other: 1 }))
  .task('join', { dependsOn: ['again', 'other'] }, (context) => {
    exactly<string | number>()(context.get('total'));
  });
orders.task('sleep', () => new Promise((resolve) => setTimeout(resolve, 1)));
orders.task('own', { dependsOn: ['price'] }, (context: TaskContext<{ mine: number }>) => {
  context.set('mine', 1);
});

// --- with a schema, or a type argument: declared keys keep their types
const bySchema = defineWorkflow('sized', {
  input: z.object({ size: z.number().default(1), state: z.enum(['new', 'paid']) }),
});
bySchema
  .task('pay', () => ({ state: 'paid', fee: 1 }))
  .task('next', { dependsOn: ['pay'] }, (context) => {
    exactly<'new' | 'paid'>()(context.get('state'));
    exactly<number>()(context.get('fee'));
    // @ts-expect-error TS2345 no such key
    context.get('fees');
  });
// @ts-expect-error TS2322 not a state
bySchema.task('pay', () => ({ state: 'old' }));
// @ts-expect-error TS2322 nor in a promise
bySchema.task('pay', async () => ({ size: '1' }));
bySchema.task(
  'wait',
  // @ts-expect-error TS2322 the schema and the tasks before name the keys
  { when: contextValue('sise', 'exists') },
  () => {},
);

interface Order {
  orderId: number;
  state?: 'new' | 'paid';
  parcel?: string | null;
}
const byType = defineWorkflow<Order>('typed')
  .task('pay', () => ({ state: 'paid' }))
  .task('ship', { dependsOn: ['pay'] }, (context) => {
    exactly<'new' | 'paid'>()(context.get('state'));
    exactly<number>()(context.get('orderId'));
    return { parcel: 'p', sent: true };
  })
  .task('thank', { dependsOn: ['ship'] }, (context) => {
    exactly<string | null>()(context.get('parcel'));
    context.set('parcel', null);
  });
// @ts-expect-error TS2322 not a state
byType.task('more', () => ({ state: 'old' }));

// --- the context of completed executions
const finished = (context: WorkflowContext<ReturnType<typeof byType.build>>) => {
  exactly<'new' | 'paid'>()(context.state);
  exactly<boolean>()(context.sent);
};
const handled = byType
  .task('refund', { dependsOn: ['ship'], when: taskFailed('ship') }, () => ({ refunded: true }))
  .build();
const afterFailure = (context: WorkflowContext<typeof handled>) => {
  exactly<'new' | 'paid'>()(context.state);
  // Without it, if its failure was handled.
  exactly<boolean | undefined>()(context.sent);
  exactly<boolean | undefined>()(context.refunded);
  // @ts-expect-error TS2339 no task adds it
  void context.nothing;
};
const handledByAny = byType
  .task(
    'refund',
    { dependsOn: ['ship'], when: any(taskFailed('ship'), taskSkipped('ship')) },
    () => {},
  )
  .build();
const afterAny = (context: WorkflowContext<typeof handledByAny>) => {
  exactly<boolean | undefined>()(context.sent);
};

// --- graphs that are made at run time
let loose: WorkflowBuilder = byType;
for (const name of ['a', 'b']) {
  loose = loose.task(name, { dependsOn: [name], when: taskFailed(name) }, (context) => {
    exactly<unknown>()(context.get('anything'));
  });
}
void [chosen, dynamic, finished, afterFailure, afterAny, loose.build()];
