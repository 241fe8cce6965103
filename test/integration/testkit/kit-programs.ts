import fc from 'fast-check';
import { defineSignal, defineWorkflow } from 'nestjs-cloacina';
import { createTestingTenant } from 'nestjs-cloacina/testing';

/** Number of executions that the operations of a program refer to. */
const EXECUTIONS = 2;

const Go = defineSignal<number>('go');

/** A retry, a sleep, a signal with a time limit and a fan-out, so that each operation meets each kind of wait. */
const mixed = defineWorkflow('mixed')
  .task('flaky', { retry: { maxAttempts: 3, delay: '20m', jitter: false } }, ({ attempt }) => {
    if (attempt < 3) throw new Error('not yet');
    return { attempts: attempt };
  })
  .task('nap', async (context) => {
    await context.sleep('nap', '6h');
    return { napped: true };
  })
  .task('go', { dependsOn: ['flaky'] }, async (context) => ({
    go: (await context.waitFor(Go, { timeout: '2d' })) ?? 'late',
  }))
  .task('end', { dependsOn: ['nap', 'go'] }, () => ({ ended: true }))
  .build();

type Operation =
  | { readonly do: 'start' | 'cancel' | 'pause' | 'resume'; readonly no: number }
  | { readonly do: 'signal'; readonly no: number; readonly value: number }
  | { readonly do: 'advance'; readonly minutes: number }
  | { readonly do: 'crash' };

const no = fc.nat({ max: EXECUTIONS - 1 });

/**
 * Programs that signal, cancel, pause, resume, crash, and let time pass. With two executions, most of them pause one and resume
 * it, or crash while one waits.
 */
export const programs: fc.Arbitrary<Operation[]> = fc.array(
  fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({
        do: fc.constantFrom('start', 'cancel', 'pause', 'pause', 'resume', 'resume', 'resume'),
        no,
      }),
    },
    {
      weight: 3,
      arbitrary: fc.record({ do: fc.constant('signal' as const), no, value: fc.nat(9) }),
    },
    {
      weight: 5,
      arbitrary: fc.record({
        do: fc.constant('advance' as const),
        minutes: fc.constantFrom(5, 30, 400, 1_500),
      }),
    },
    {
      weight: 2,
      // Not after a claim, a handler or a record: of two tasks under way, the store's speed decides which one meets the moment.
      arbitrary: fc.record({ do: fc.constant('crash' as const) }),
    },
  ),
  { minLength: 8, maxLength: 16 },
);

/** Runs a program on a store. Returns what each operation came to, and what the executions are in the end. */
export async function resultsOf(
  program: readonly Operation[],
  store: 'memory' | 'postgres',
): Promise<unknown[]> {
  const tenant = await createTestingTenant({ store, workflows: [mixed], maxRecoveryAttempts: 100 });
  const ids = new Map<number, string>();
  const idOf = async (index: number): Promise<string> => {
    const known = ids.get(index);
    if (known !== undefined) return known;
    const { id } = await tenant.runner.start(mixed);
    ids.set(index, id);
    // How far the first attempt has come by the next call is a matter of the store's speed.
    await tenant.drain();
    return id;
  };
  const results: unknown[] = [];
  const perform = async (operation: Operation): Promise<unknown> => {
    if (operation.do === 'advance') return tenant.time.advance(operation.minutes * 60_000);
    if (operation.do === 'crash') return tenant.crash();
    const id = await idOf(operation.no);
    if (operation.do === 'signal') await tenant.signal(id, Go, operation.value);
    else if (operation.do !== 'start') await tenant.runner[operation.do](id);
    return tenant.drain();
  };
  try {
    for (const operation of program) {
      const error = await perform(operation).then(
        (value) => value,
        (thrown: unknown) => Reflect.get(thrown as object, 'code') as unknown,
      );
      if (tenant.isDown) await tenant.restart();
      const statuses = await Promise.all(
        [...ids.values()].map((id) => tenant.runner.handle(id).status()),
      );
      results.push([operation.do, error, statuses]);
    }
    for (const id of ids.values()) {
      const execution = await tenant.runner.get(id);
      const history = await tenant.history(id);
      results.push({
        status: execution?.status,
        context: execution?.context,
        tasks: execution?.tasks.map(({ name, status, attempt, recoveryAttempts }) => [
          name,
          status,
          attempt,
          recoveryAttempts,
        ]),
        history: history
          .map((entry) => `${entry.type} ${'task' in entry ? entry.task : ''}`)
          .sort(),
      });
    }
  } finally {
    await tenant.close();
  }
  return results;
}
