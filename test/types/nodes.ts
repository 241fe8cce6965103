// Compiled, never run. What follows each `@ts-expect-error` must be refused, with that code: see types.spec.ts.
import { defineWorkflow } from '../../lib/discovery/define-workflow.js';
import { defineEvent, defineSignal } from '../../lib/discovery/message-definitions.js';
import { MapChildren, MapTask } from '../../lib/discovery/map-decorators.js';
import { Child, Sleep, WaitFor } from '../../lib/discovery/node-decorators.js';
import type { Node } from '../../lib/discovery/node-options.js';
import type { TaskContext } from '../../lib/discovery/task-context.js';
import { Task } from '../../lib/discovery/task.decorator.js';
import type { WorkflowContext } from '../../lib/discovery/workflow-ref.js';
import { Workflow } from '../../lib/discovery/workflow.decorator.js';
import { contextValue, notFailed, taskFailed } from '../../lib/workflow/trigger-rule.js';

/** Exactly this type, not only assignable to it. */
declare function exactly<Expected>(): <Actual>(
  actual: Actual,
  ...same: (<T>() => T extends Actual ? 1 : 2) extends <T>() => T extends Expected ? 1 : 2
    ? []
    : [never]
) => void;

interface Answer {
  approved: boolean;
}
const Approval = defineSignal<Answer>('approval');
const Paid = defineEvent<{ amount: number }>('paid');

interface Invoice {
  total: number;
  invoiceId: string;
  dueDate?: string;
}

@Workflow({ name: 'render' })
class Render {
  @Task()
  render(_context: TaskContext<{ id: string; pdf?: string }>) {}
}

// --- a class
@Workflow({ name: 'invoice' })
export class InvoiceWorkflow {
  count = 0;

  @Task()
  price(_context: TaskContext<Invoice>) {}

  @WaitFor({
    signal: Approval,
    dependsOn: ['price'],
    when: contextValue('total', 'greaterThan', 1000),
    timeout: '14d',
    onTimeout: 'skip',
  })
  approval!: Node<typeof Approval>;

  @WaitFor({ event: Paid, key: 'invoiceId', dependsOn: ['approval', 'price'], when: notFailed() })
  payment!: Node<typeof Paid>;

  @Sleep({ until: 'dueDate', dependsOn: ['payment'] })
  due!: Node;

  @Child(() => Render, {
    dependsOn: ['due'],
    input: (context) => {
      exactly<number>()(context.require('total'));
      return { id: context.require('invoiceId') };
    },
    output: 'pdf',
  })
  pdf!: Node<typeof Render>;

  @Child(() => 'render')
  byName!: Node<string>;

  @Task({ dependsOn: ['approval', 'due', 'pdf'], when: taskFailed('approval') })
  refuse() {}

  @Task({ dependsOn: ['approval'], when: contextValue('approval', 'exists') })
  byNode() {}

  // @ts-expect-error TS1240 another signal than that of the type
  @WaitFor({ signal: defineSignal<number>('number') })
  wrongType!: Node<typeof Approval>;

  // @ts-expect-error TS1240 a property that is not a node
  @Sleep({ for: '1d' })
  noNode!: string;

  @WaitFor({
    signal: Approval,
    // @ts-expect-error TS2820 no task or node of that name
    dependsOn: ['aproval'],
  })
  misspelt!: Node<typeof Approval>;

  @Sleep({
    for: '1d',
    // @ts-expect-error TS2322 a property that is not a node
    dependsOn: ['count'],
  })
  onProperty!: Node;

  // @ts-expect-error TS2820 no key of the context
  @Sleep({ until: 'dueDat' })
  wrongKey!: Node;

  @MapTask({ items: () => [{ account: 'a' }], limit: { name: 'stripe', key: 'item.account' } })
  limited() {}

  // @ts-expect-error TS2353 a map has no fairKey
  @MapTask({ items: () => [1], fairKey: 'account' })
  fair() {}

  // @ts-expect-error TS2353 a map of children has no limit
  @MapChildren(() => 'render', { items: () => [], limit: 'stripe' })
  limitedChildren!: Node<string>;
}

declare const ended: WorkflowContext<typeof InvoiceWorkflow>;
exactly<number>()(ended.total);
exactly<Answer | undefined>()(ended.approval);
exactly<{ amount: number } | undefined>()(ended.payment);
exactly<unknown>()(ended.pdf);
// @ts-expect-error TS2339 a node that sleeps writes nothing
void ended.due;

// --- a builder
const render = defineWorkflow<{ id: string }>('render')
  .task('render', () => ({ pdf: 'file', pages: 3 }))
  .build();
const invoices = defineWorkflow<Invoice>('invoice')
  .task('price', () => ({ net: 5 }))
  .waitFor('approval', { signal: Approval, dependsOn: ['price'] })
  .waitFor('late', { signal: Approval, timeout: '1d', onTimeout: 'complete' })
  .waitFor('optional', { signal: Approval, timeout: '1d', onTimeout: 'skip' })
  .waitFor('payment', { event: Paid, key: 'invoiceId', dependsOn: ['approval'] })
  .sleep('due', { until: 'dueDate', dependsOn: ['payment'] })
  .child('whole', render, {
    dependsOn: ['price'],
    input: (context) => {
      exactly<number>()(context.get('net'));
      return { id: context.require('invoiceId') };
    },
  })
  .child('pdf', render, { output: 'pdf' });
invoices.task('after', { dependsOn: ['due', 'whole', 'pdf', 'late'] }, (context) => {
  exactly<Answer>()(context.get('approval'));
  exactly<number>()(context.get('payment').amount);
  exactly<number>()(context.get('whole').pages);
  exactly<string>()(context.get('pdf'));
  exactly<Answer | undefined>()(context.get('late'));
});
invoices.task('skipped', { dependsOn: ['optional'], when: notFailed() }, (context) => {
  exactly<Answer | undefined>()(context.get('optional'));
});
const built = invoices.build();
declare const result: WorkflowContext<typeof built>;
exactly<Answer>()(result.approval);
exactly<Answer | undefined>()(result.optional);

// @ts-expect-error TS2820 no task or node of that name
invoices.sleep('a', { for: 5, dependsOn: ['aproval'] });
// @ts-expect-error TS2820 no key of the context
invoices.waitFor('b', { event: Paid, key: 'invoiceIt' });
// @ts-expect-error TS2322 a key that the child does not have
invoices.child('c', render, { output: 'pfd' });
// @ts-expect-error TS2322 an input that the child does not take
invoices.child('d', render, { input: () => ({ id: 7 }) });
invoices.map('e', { items: () => [1], limit: { name: 'stripe', key: 'item' } }, () => undefined);
// @ts-expect-error TS2353 a map has no fairKey
invoices.map('f', { items: () => [1], fairKey: 'account' }, () => undefined);
