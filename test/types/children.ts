// Compiled, never run. What follows each `@ts-expect-error` must be refused, with that code: see types.spec.ts.
import { z } from 'zod';
import { defineWorkflow } from '../../lib/discovery/define-workflow.js';
import { Task } from '../../lib/discovery/task.decorator.js';
import type { TaskContext } from '../../lib/discovery/task-context.js';
import type { TaskRunner } from '../../lib/runner/task-runner.js';

class Render {
  @Task() render(_context: TaskContext<{ invoiceId: string; pdf: string }>) {}
}
const add = defineWorkflow('add', { input: z.object({ a: z.number(), b: z.number().default(1) }) })
  .task('add', (context) => ({ sum: context.get('a') + context.get('b') }))
  .build();

export async function execute(context: TaskContext): Promise<void> {
  const { pdf } = await context.execute(Render, { invoiceId: '1' });
  const text: string = pdf;
  const { sum } = await context.execute(add, { a: 1 });
  const total: number = sum;
  // @ts-expect-error TS2322 a text
  await context.execute(Render, { invoiceId: 1 });
  // @ts-expect-error TS2561 a misspelt key
  await context.execute(Render, { invoiceID: '1' });
  // @ts-expect-error TS2769 an option of start()
  await context.execute(add, { a: 1 }, { delay: '1s' });
  // @ts-expect-error TS2339 a key of another workflow
  void (await context.execute(add, { a: 1 })).pdf;
  const child = await context.execute(add, { a: 1 }, { settled: true });
  if (child.status === 'Completed') {
    const known: number = child.context.sum;
    void known;
  } else {
    const unknown: number | undefined = child.context.sum;
    void [unknown, child.error?.message, child.reason];
  }
  void [text, total];
}

export async function executeAll(context: TaskContext): Promise<void> {
  const [one, two] = await context.executeAll([
    [Render, { invoiceId: '1' }],
    [add, { a: 1 }, { name: 'own' }],
  ]);
  const results: [string, number] = [one.pdf, two.sum];
  const calls = [1, 2].map((a) => [add, { a }, { key: a }] as const);
  const sums: number[] = (await context.executeAll(calls)).map(({ sum }) => sum);
  const settled = await context.executeAll(calls, { settled: true });
  void [results, sums, settled.map(({ status }) => status)];
  // @ts-expect-error TS2322 a number
  await context.executeAll([[add, { a: 'x' }]]);
}

/** The members of a handle are declared beside those of the runner. */
export type Runner = TaskRunner;

export async function start(context: TaskContext): Promise<void> {
  const handle = await context.start(add, { a: 1 }, { delay: '1s', onParentEnd: 'abandon' });
  const id: string = handle.id;
  const { context: result } = await handle.result();
  const sum: number = result.sum;
  void [id, sum];
  // @ts-expect-error TS2820 an end that there is not
  await context.start(add, { a: 1 }, { onParentEnd: 'abandoned' });
}
