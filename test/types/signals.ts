// Compiled, never run. What follows each `@ts-expect-error` must be refused, with that code: see types.spec.ts.
import type { StandardSchemaV1 } from '@standard-schema/spec';
import { defineEvent, defineSignal } from '../../lib/discovery/message-definitions.js';
import type { TaskContext } from '../../lib/discovery/task-context.js';
import type { CloacinaRunner } from '../../lib/runner/cloacina-runner.js';

declare const context: TaskContext;
declare const runner: CloacinaRunner;
declare const schema: StandardSchemaV1<{ at: string }, { at: Date; n: number }>;

const Plain = defineSignal<{ at: Date }>('plain');
const Checked = defineSignal('checked', { schema });
const Paid = defineEvent<{ amount: number }>('paid', { keepFor: '1d' });

export async function receives(): Promise<void> {
  const plain: { at: string } = await context.waitFor(Plain);
  const checked: { at: string; n: number } = await context.waitFor(Checked, { name: 'again' });
  const late = await context.waitFor(Plain, { timeout: '1d' });
  // @ts-expect-error TS18048 it may have timed out
  void late.at;
  const paid: { amount: number } = await context.waitFor(Paid, { key: 'k', lookback: '1h' });
  // @ts-expect-error TS2345 an event needs a key
  await context.waitFor(Paid);
  // @ts-expect-error TS2769 a signal has none
  await context.waitFor(Plain, { key: 'k' });
  void [plain, checked, paid];

  const first = await context.waitForAny({ plain: Plain, paid: [Paid, 'k'] });
  const amount: number = first.name === 'paid' ? first.payload.amount : first.payload.at.length;
  // @ts-expect-error TS2367 there is no such label
  void (first.name === 'other');
  const none = await context.waitForAny({ plain: Plain }, { timeout: '1d' });
  // @ts-expect-error TS18048 it may have timed out
  void none.name;
  void amount;
}

export async function sends(): Promise<void> {
  await runner.signal('id', Plain, { at: new Date() });
  await runner.signal({ workflow: 'w', key: 'k' }, Checked, { at: 'now' }, { orStart: {} });
  // @ts-expect-error TS2322 the schema takes a string
  await runner.signal('id', Checked, { at: new Date() });
  // @ts-expect-error TS2345 an event is emitted
  await runner.signal('id', Paid, { amount: 1 });
  await runner.emit(Paid, 'k', { amount: 1 });
  // @ts-expect-error TS2345 a signal is not emitted
  await runner.emit(Plain, 'k', { at: new Date() });
  // @ts-expect-error TS2322 not the payload
  await runner.emit(Paid, 'k', { amount: '1' });
}
