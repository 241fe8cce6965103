// Compiled, never run. What follows each `@ts-expect-error` must be refused, with that code: see types.spec.ts.
import { Task } from '../../lib/discovery/task.decorator.js';
import { type Observable, of } from 'rxjs';
import type { JsonObject } from '../../lib/discovery/context-types.js';
import type { TaskContext } from '../../lib/discovery/task-context.js';
import { Workflow } from '../../lib/discovery/workflow.decorator.js';
import {
  all,
  always,
  contextValue,
  taskFailed,
  taskSucceeded,
} from '../../lib/workflow/trigger-rule.js';

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

  @Task({ dependsOn: ['withoutParameter'], when: taskFailed('withoutParameter') })
  untyped(context: TaskContext) {
    context.set('anything', { nested: [1] });
  }

  // @ts-expect-error TS2820 no method of that name
  @Task({ dependsOn: ['chrage'] })
  misspelt() {}

  // @ts-expect-error TS2322 a property is no task
  @Task({ dependsOn: ['count'] })
  onProperty() {}

  // @ts-expect-error TS2322 one wrong name among right ones
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

interface Parcel {
  parcelId: string;
  state: 'packed' | 'sent';
  weight?: number;
  sizes: { unit: 'cm' | 'in'; values: number[] };
}

/** What tasks return is checked against what all tasks of the class see. */
@Workflow({ name: 'parcel' })
export class ParcelDelivery {
  @Task()
  pack(context: TaskContext<Parcel>) {
    return { state: 'packed', weight: context.get('weight'), sizes: { unit: 'cm', values: [1] } };
  }

  @Task({
    dependsOn: ['pack'],
    when: all(taskSucceeded('pack'), contextValue('weight', 'lessThan', 30)),
  })
  async send(_context: TaskContext<{ code: number | null }>) {
    return { state: 'sent', code: null } as const;
  }

  @Task({ dependsOn: ['send'] })
  withoutParameter(): Observable<{ code: number }> {
    return of({ code: 1 });
  }

  @Task()
  declared(): Promise<Partial<Parcel> | undefined> {
    return Promise.resolve(undefined);
  }

  @Task()
  unchecked(): JsonObject {
    return { anything: 1 };
  }

  // @ts-expect-error TS1241 a string
  @Task()
  wrongType() {
    return { parcelId: 1 };
  }

  // @ts-expect-error TS1241 also in a promise, for a key that another task sees
  @Task()
  async wrongInPromise() {
    return { code: 'c' };
  }

  // @ts-expect-error TS1241 and in an Observable
  @Task()
  wrongInObservable() {
    return of({ sizes: { unit: 'cm', values: ['1'] } });
  }

  // @ts-expect-error TS1241 a misspelt key
  @Task()
  misspelt() {
    return { parcelID: 'p' };
  }

  // @ts-expect-error TS1241 whatever its value
  @Task()
  misspeltAny() {
    return { parcelID: JSON.parse('1') };
  }

  // @ts-expect-error TS1241 in one of two results
  @Task()
  sometimes(context: TaskContext<Parcel>) {
    return context.attempt > 1 ? { weight: 1 } : { wait: 1 };
  }

  // @ts-expect-error TS2322 a rule names dependencies
  @Task({ dependsOn: ['pack'], when: taskFailed('send') })
  wrongTask() {}

  // @ts-expect-error TS2322 and keys of the context
  @Task({ dependsOn: ['pack'], when: contextValue('wieght', 'exists') })
  wrongKey() {}
}

/** One plain TaskContext leaves other keys open. */
export class OpenContext {
  @Task() first(_context: TaskContext<Parcel>) {
    return { anything: 1 };
  }
  @Task({ dependsOn: ['first'], when: contextValue('anything', 'exists') })
  second(_context: TaskContext) {}
  // @ts-expect-error TS1241 a key that is typed stays so
  @Task()
  third() {
    return { weight: '1' };
  }
}

/** Made apart from any class: names are checked at boot. */
const Retried = (dependsOn: string[]) => Task({ dependsOn, retry: { maxAttempts: 9 } });
export class Wrapped {
  @Task() first() {}
  @Retried(['first']) second() {}
}

// @ts-expect-error TS2345 a workflow needs its name
Workflow({ version: '1' });
// @ts-expect-error TS2741 an input is a Standard Schema
Workflow({ name: 'x', input: {} });
