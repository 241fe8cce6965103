import fc from 'fast-check';
import { defineSignal, defineWorkflow } from 'nestjs-cloacina';
import { createTestingTenant, type CrashMoment, type TestingTenant } from 'nestjs-cloacina/testing';

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
  | { readonly do: 'crash'; readonly after: CrashMoment | undefined };

const anyNo = fc.nat({ max: EXECUTIONS - 1 });

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
        no: anyNo,
      }),
    },
    {
      weight: 3,
      arbitrary: fc.record({ do: fc.constant('signal' as const), no: anyNo, value: fc.nat(9) }),
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
      arbitrary: fc.record({
        do: fc.constant('crash' as const),
        after: fc.constantFrom(undefined, 'claim' as const, 'handler' as const, 'record' as const),
      }),
    },
  ),
  { minLength: 8, maxLength: 16 },
);

/** An execution that has not ended in the time, or a process that has crashed: the caller looks. */
const ignore = (): undefined => undefined;

/**
 * Runs a program on a store. Returns what each operation came to, and what the executions are in the end.
 *
 * Of tasks that are under way at one instant, the store's speed decides which one meets a crash, and which outcomes are stored
 * before it. That decides which tasks are recovered, and nothing else if the next process begins at the same instant. So
 * recoveries are compared only in programs without a crash at a moment.
 */
export async function resultsOf(
  program: readonly Operation[],
  store: 'memory' | 'postgres',
): Promise<unknown[]> {
  const tenant = await createTestingTenant({ store, workflows: [mixed], maxRecoveryAttempts: 100 });
  const run = new ProgramRun(tenant);
  try {
    const results: unknown[] = [];
    for (const operation of program) results.push(await run.perform(operation));
    return [...results, ...(await run.executions())];
  } finally {
    await tenant.close();
  }
}

/** A program that runs on one store. */
class ProgramRun {
  private readonly ids = new Map<number, string>();
  /** Whether a crash is to come at a moment. */
  private isArmed = false;
  /** Whether the process was killed at once, and not at that moment. */
  private isKilled = false;
  /** Whether a process was killed at such a moment. */
  private hasStruck = false;

  constructor(private readonly tenant: TestingTenant) {}

  async perform(operation: Operation): Promise<unknown> {
    const error = await this.run(operation).then(
      () => undefined,
      (thrown: unknown) => Reflect.get(thrown as object, 'code') as unknown,
    );
    // What the process that crashed has told the caller before, and what not, is a matter of the store's speed too.
    const result = (await this.revived()) ? 'crashed' : error;
    const statuses = await Promise.all(
      [...this.ids.values()].map((id) => this.tenant.runner.handle(id).status()),
    );
    return [operation.do, result, statuses];
  }

  executions(): Promise<unknown[]> {
    return Promise.all([...this.ids.values()].map((id) => this.execution(id)));
  }

  private async run(operation: Operation): Promise<void> {
    const { tenant } = this;
    if (operation.do === 'advance') return this.advance(operation.minutes);
    if (operation.do === 'crash') return this.crash(operation.after);
    const id = await this.idOf(operation.no);
    if (operation.do === 'signal') await tenant.signal(id, Go, operation.value);
    else if (operation.do !== 'start') await tenant.runner[operation.do](id);
    await tenant.drain();
  }

  /** Also of an execution whose start has met the crash: the key finds it. */
  private async idOf(no: number): Promise<string> {
    const known = this.ids.get(no);
    if (known !== undefined) return known;
    const start = async (): Promise<void> => {
      const { id } = await this.tenant.runner.start(
        mixed,
        {},
        { idempotencyKey: `execution ${no}` },
      );
      this.ids.set(no, id);
      // How far the first attempt has come by the next call is a matter of the store's speed.
      await this.tenant.drain();
    };
    await start().catch((error: unknown) => {
      if (!this.tenant.isDown) throw error;
    });
    if (await this.revived()) await start();
    return this.ids.get(no) ?? '';
  }

  private async advance(minutes: number): Promise<void> {
    const { time } = this.tenant;
    const end = new Date(time.now().getTime() + minutes * 60_000);
    for (const id of this.ids.values()) {
      if (!this.isArmed) break;
      // Stops at the instant of a crash, at which the next process has to begin.
      await time.advanceUntil(id, { within: end.getTime() - time.now().getTime() }).catch(ignore);
      await this.revived();
    }
    await time.advanceTo(end);
  }

  private async crash(after: CrashMoment | undefined): Promise<void> {
    if (after === undefined) this.isKilled = true;
    else this.isArmed = true;
    return this.tenant.crash(after === undefined ? undefined : { after });
  }

  /** Restarts a process that has crashed, again if it crashes as it recovers. Returns whether it had crashed. */
  private async revived(): Promise<boolean> {
    const { tenant } = this;
    if (!tenant.isDown) return false;
    while (tenant.isDown) {
      if (!this.isKilled) [this.isArmed, this.hasStruck] = [false, true];
      this.isKilled = false;
      await tenant.restart();
    }
    return true;
  }

  private async execution(id: string): Promise<unknown> {
    const { tenant, hasStruck } = this;
    const { status, context, tasks = [] } = (await tenant.runner.get(id)) ?? {};
    const history = await tenant.history(id);
    return {
      status,
      context,
      tasks: tasks.map(({ name, status: ofTask, attempt, recoveryAttempts }) => [
        name,
        ofTask,
        attempt,
        hasStruck ? 'any' : recoveryAttempts,
      ]),
      history: history
        .filter(({ type }) => !hasStruck || type !== 'task.recovered')
        .map((entry) => `${entry.type} ${'task' in entry ? entry.task : ''}`)
        .sort(),
    };
  }
}
