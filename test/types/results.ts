// Compiled, never run. What follows each `@ts-expect-error` must be refused, with that code: see types.spec.ts.
import { z } from 'zod';
import { defineWorkflow } from '../../lib/discovery/define-workflow.js';
import { Task } from '../../lib/discovery/task.decorator.js';
import type { TaskContext } from '../../lib/discovery/task-context.js';
import type { CloacinaRunner } from '../../lib/runner/cloacina-runner.js';
import type { Execution } from '../../lib/runner/execution.js';
import type { ExecutionHandle } from '../../lib/runner/execution-handle.js';

interface Order {
  orderId: number;
  note?: string;
}
class Typed {
  @Task() charge(_context: TaskContext<Order>) {}
  @Task() ship(_context: TaskContext<{ parcel: string | null }>) {}
}
class Open {
  @Task() charge(_context: TaskContext<Order>) {}
  @Task() audit(_context: TaskContext) {}
}
/** A parameter without a type says nothing about the context. */
class HalfTyped {
  @Task() charge(_context: TaskContext<Order>) {}
  // oxlint-disable-next-line typescript/no-explicit-any
  @Task() audit(_context: any) {}
}
class WithSchema {
  static readonly input = z.object({ day: z.date(), size: z.number().default(1) });
  @Task() charge(_context: TaskContext<Order>) {}
}
const bySchema = defineWorkflow('a', { input: z.object({ size: z.number().default(1) }) })
  .task('only', () => undefined)
  .build();
const byType = defineWorkflow<Order>('b')
  .task('only', () => undefined)
  .build();

export async function results(runner: CloacinaRunner): Promise<void> {
  const { context } = await runner.execute(Typed, { orderId: 1 });
  context.orderId satisfies number;
  context.parcel satisfies string | null;
  // @ts-expect-error TS2322 an optional key stays so
  const note: string = context.note;
  // @ts-expect-error TS2551 a misspelt key
  void [note, context.oderId];

  const half = await runner.execute(HalfTyped);
  half.context.orderId satisfies number;
  // @ts-expect-error TS2551 a misspelt key
  void half.context.oderId;

  const open = await runner.execute(Open);
  open.context.orderId satisfies number;
  void open.context['anything'];
  // @ts-expect-error TS2322 a key that is typed stays so
  const text: string = open.context.orderId;

  (await runner.execute(bySchema)).context.size satisfies number;
  // @ts-expect-error TS2322 what the schema gives
  const size: string = (await runner.execute(bySchema)).context.size;
  (await runner.execute(byType)).context.orderId satisfies number;
  void [text, size, (await runner.execute('by-name')).context['anything']];

  const { context: both } = await runner.execute(WithSchema, { day: new Date() });
  both.size satisfies number;
  both.orderId satisfies number;
  // @ts-expect-error TS2322 a Date is stored as a string
  const date: Date = both.day;
  void date;

  const handle = await runner.start(Typed);
  (await handle.result({ timeout: '1s' })).context.orderId satisfies number;
  const settled = await handle.result({ settled: true });
  settled.context.orderId satisfies number | undefined;
  settled.orThrow().context.orderId satisfies number;
  // @ts-expect-error TS2322 of one that failed, some keys may be missing
  const missing: number = settled.context.orderId;
  const maybe = await runner.execute(byType, {}, { settled: true });
  // @ts-expect-error TS2322 so may they of this one
  const alsoMissing: number = maybe.context.orderId;
  // @ts-expect-error TS2769 a misspelt option
  void (await handle.result({ setled: true }));
  const handles: ExecutionHandle[] = [handle, await runner.start('by-name')];
  void [missing, alsoMissing, handles];
}

export async function looked(runner: CloacinaRunner, id: string): Promise<void> {
  const execution = await runner.get(id, { workflow: Typed });
  execution?.context.orderId satisfies number | undefined;
  if (execution?.status === 'Completed') execution.context.orderId satisfies number;
  // @ts-expect-error TS2322 of one that has not completed, keys may be missing
  const missing: number | null = execution === null ? null : execution.context.orderId;
  // @ts-expect-error TS2551 a misspelt key
  void [missing, execution?.context.oderId];
  (await runner.get(id, { workflow: bySchema }))?.context.size satisfies number | undefined;
  void (await runner.get(id, { workflow: 'by-name' }))?.context['anything'];
  const untyped: Execution | null = await runner.get(id);
  // @ts-expect-error TS2769 a misspelt option
  void (await runner.get(id, { worklow: Typed }));
  void [await runner.list({ workflow: Typed }), await runner.counts({ workflow: bySchema })];
  // @ts-expect-error TS2322 neither class, name nor definition
  void [untyped, await runner.list({ workflow: 5 })];
}

export async function deferred(context: TaskContext, find: () => Promise<Order | undefined>) {
  (await context.deferUntil(find, { every: '1m' })).orderId satisfies number;
  // @ts-expect-error TS2322 what the condition found is an order
  const found: string = await context.deferUntil(find);
  // A handler may return the call: `true` is no result.
  (await context.deferUntil(() => true)) satisfies void;
  // Nor is it where the condition may find an order too.
  const order = await context.deferUntil((): Order | boolean => context.attempt > 1);
  // @ts-expect-error TS18048 undefined for true
  order.orderId satisfies number;
  const ready = await context.deferUntil((): Order | false => false);
  ready.orderId satisfies number;
  return found;
}
