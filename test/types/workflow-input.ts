// Compiled, never run. What follows each `@ts-expect-error` must be refused, with that code: see types.spec.ts.
import { z } from 'zod';
import { defineWorkflow } from '../../lib/discovery/define-workflow.js';
import { Task } from '../../lib/discovery/task.decorator.js';
import type { JsonObject } from '../../lib/discovery/context-types.js';
import type { TaskContext } from '../../lib/discovery/task-context.js';
import type { ContextOfSchema } from '../../lib/discovery/schema-types.js';
import type { WorkflowBuilder, WorkflowDefinition } from '../../lib/discovery/workflow-builder.js';
import type { WorkflowInput, WorkflowRef } from '../../lib/discovery/workflow-ref.js';

/** The signature of `CloacinaRunner.start` and `execute`. */
declare function start<R extends WorkflowRef>(workflow: R, context?: WorkflowInput<R>): void;

interface Order {
  orderId: number;
  state: 'new' | 'paid';
}

class Typed {
  constructor(readonly service: { call(): void }) {}
  @Task() charge(_context: TaskContext<Order>) {}
  @Task() ship(_context: TaskContext<{ address: string | null }>) {}
  @Task() none() {}
  helper(_value: number, _flag: boolean) {}
}
start(Typed, { orderId: 1 });
start(Typed, { orderId: 1, state: 'paid', address: null });
start(Typed);
start(Typed, {});
// @ts-expect-error TS2322 a number
start(Typed, { orderId: 'x' });
// @ts-expect-error TS2561 a misspelt key
start(Typed, { oderId: 1 });
// @ts-expect-error TS2322 a literal of the union
start(Typed, { state: 'old' });

class Mixed {
  @Task() charge(_context: TaskContext<Order>) {}
  @Task() audit(_context: TaskContext) {}
}
start(Mixed, { orderId: 1, anything: true });
// @ts-expect-error TS2322 a key that is typed stays so
start(Mixed, { orderId: 'x' });

class Untyped {
  @Task() charge(_context: TaskContext) {}
}
start(Untyped, { anything: [1] });
// @ts-expect-error TS2345 an object
start(Untyped, 'x');

class NoParameter {
  @Task() charge() {}
}
start(NoParameter, { anything: [1] });

start('by-name', { anything: new Date() });
// @ts-expect-error TS2345 neither class, name nor definition
start(1, {});

class WithSchema {
  static readonly input = z.object({
    day: z.coerce.date(),
    size: z.number().default(1),
  });
  @Task() first(
    context: TaskContext<ContextOfSchema<typeof WithSchema.input> & { rows?: number }>,
  ) {
    return { rows: context.get('size') };
  }
}
start(WithSchema, { day: new Date() });
// @ts-expect-error TS2345 the schema needs a day
start(WithSchema, { size: 1 });
// @ts-expect-error TS2353 tasks add it, the schema doesn't take it
start(WithSchema, { day: '2026-01-01', rows: 1 });
class Inherited extends WithSchema {}
// @ts-expect-error TS2322 a number
start(Inherited, { day: '2026-01-01', size: 'x' });
class WithOtherInput {
  static input = 'no schema';
  @Task() charge(_context: TaskContext<Order>) {}
}
start(WithOtherInput, { orderId: 1 });

// --- definitions
const bySchema = defineWorkflow('a', {
  input: z.object({ day: z.coerce.date(), size: z.number().default(1) }),
})
  .task('collect', (context) => {
    const size: number = context.get('size');
    // The schema gives a Date, which is stored as a string.
    const day: string = context.get('day');
    // @ts-expect-error TS2322 so it is no Date any more
    const date: Date = context.get('day');
    void date;
    return { size, day };
  })
  .task('send', { dependsOn: ['collect'] }, async (context: TaskContext<{ rows: number }>) => {
    context.set('rows', 1);
  })
  .build();
start(bySchema, { day: '2026-01-01' });
// @ts-expect-error TS2322 a number
start(bySchema, { day: '2026-01-01', size: 'x' });
// @ts-expect-error TS2353 a misspelt key
start(bySchema, { day: '2026-01-01', sise: 1 });

const byType = defineWorkflow<Order>('b').task('one', (context) => {
  const id: number = context.require('orderId');
  return { id };
});
byType.task('two', { dependsOn: ['one'] }, () => undefined);
// @ts-expect-error TS2322 no such task yet
byType.task('two', { dependsOn: ['noe'] }, () => undefined);
// @ts-expect-error TS2322 nor itself
byType.task('two', { dependsOn: ['two'] }, () => undefined);
// @ts-expect-error TS2322 a result is an object of keys
byType.task('two', () => 'done');
start(byType.build(), { orderId: 1 });
// @ts-expect-error TS2322 a number
start(byType.build(), { orderId: 'x' });

// What the contract says of builders and definitions holds for all of them.
const loose: WorkflowBuilder = byType;
const definitions: WorkflowDefinition[] = [bySchema, byType.build(), loose.build()];
const refs: WorkflowRef[] = [...definitions, Typed, 'name'];
for (const ref of refs) start(ref, { anything: 1 } satisfies JsonObject);
