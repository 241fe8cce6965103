// Compiled, never run. What follows each `@ts-expect-error` must be refused, with that code: see types.spec.ts.
import { Task } from '../../lib/discovery/task.decorator.js';
import type { TaskContext } from '../../lib/discovery/task-context.js';
import { Workflow } from '../../lib/discovery/workflow.decorator.js';
import { always, taskFailed } from '../../lib/workflow/trigger-rule.js';

interface Receipt {
  paymentId: string;
  length: number;
}
interface Order {
  orderId: number;
  paid?: Receipt;
}

@Workflow({ name: 'order', timeout: '2d' })
export class OrderFulfilment {
  count = 0;

  @Task()
  charge(context: TaskContext<Order>): Receipt {
    return { paymentId: String(context.require('orderId')), length: 1 };
  }

  @Task({ name: 'reserve-stock' })
  async reserve(_context: TaskContext<Order>): Promise<Receipt | undefined> {
    return undefined;
  }

  @Task({
    dependsOn: ['charge', 'reserve'],
    when: always(),
    retry: { maxAttempts: 5, delay: '2s' },
  })
  async ship(context: TaskContext<Order>) {
    context.set('paid', { paymentId: 'p', length: 2 });
    return { shipped: true };
  }

  @Task({ dependsOn: ['ship'] })
  withoutParameter() {}

  @Task({ dependsOn: ['withoutParameter'], when: taskFailed('charge') })
  untyped(context: TaskContext) {
    context.set('anything', { nested: [1] });
  }

  // @ts-expect-error TS1241 no method of that name
  @Task({ dependsOn: ['chrage'] })
  misspelt() {}

  // @ts-expect-error TS1241 a property is no task
  @Task({ dependsOn: ['count'] })
  onProperty() {}

  // @ts-expect-error TS1241 one wrong name among right ones
  @Task({ dependsOn: ['charge', 'sihp'] })
  oneWrong() {}

  // @ts-expect-error TS1241 a task gets one argument
  @Task()
  twoParameters(_context: TaskContext<Order>, _second: string) {}

  // @ts-expect-error TS1241 a result is an object of keys, not a number
  @Task()
  returnsNumber() {
    return 1;
  }

  // @ts-expect-error TS1241 nor an array
  @Task()
  async returnsArray() {
    return [1];
  }

  // @ts-expect-error TS2561 unknown option
  @Task({ depends: ['charge'] })
  unknownOption() {}

  // @ts-expect-error TS2322 a rule comes from the rule functions
  @Task({ when: 'always' })
  wrongRule() {}

  helper(context: TaskContext<Order>) {
    // @ts-expect-error TS2345 no such key
    context.get('oderId');
    // @ts-expect-error TS2345 a number
    context.set('orderId', '1');
    // @ts-expect-error TS2540 read-only
    context.data.orderId = 2;
    const order: number = context.require('orderId');
    return order;
  }
}

export class Express extends OrderFulfilment {
  @Task({ dependsOn: ['charge', 'ship'] })
  hurry() {}
}

// @ts-expect-error TS2345 a workflow needs its name
Workflow({ version: '1' });
// @ts-expect-error TS2741 an input is a Standard Schema
Workflow({ name: 'x', input: {} });
