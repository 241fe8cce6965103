import { InvalidArgumentError, UnknownExecutionError } from '../errors/index.js';
import { formatValue } from '../errors/option-checks.js';
import type { Execution } from '../runner/execution.js';
import type { CloacinaRunner } from '../runner/cloacina-runner.js';
import { parseDuration, type Duration } from '../workflow/duration.js';
import { ExecutionStuckError } from './stuck-error.js';
import { crashed } from './process-life.js';
import type { TestHarness } from './test-harness.js';
import { YEAR_MS } from './test-timeline.js';

/** An execution, by its id, or by an object that has it: a handle, or an execution that was read. */
export type ExecutionRef = string | { readonly id: string };

/** Options of {@link TestingTime.advanceUntil}. */
export interface AdvanceUntilOptions {
  /** How far time may move. Default: 366 days. */
  within?: Duration;
}

/** The time of a test. It stands still until the test moves it. All tenants of a test have the same. */
export class TestingTime {
  /** @internal Tests get it from the testing tenant. */
  constructor(
    private readonly harness: TestHarness,
    private readonly runner: CloacinaRunner,
  ) {}

  /** The time of the test. */
  now(): Date {
    return this.harness.clock.date;
  }

  /**
   * Moves the time, and runs on the way what becomes due, in the order of the due times: retries, sleeps, timeouts, schedules.
   * Resolves when there is nothing left to do at the new time.
   *
   * @param duration - such as `'14d'`, or milliseconds
   * @throws InvalidArgumentError for an invalid duration
   */
  async advance(duration: Duration): Promise<void> {
    const { harness } = this;
    await harness.moveTo(harness.clock.now() + millisecondsOf('duration', duration));
  }

  /**
   * Moves the time to an instant, as {@link advance} does. An instant in the past does nothing.
   *
   * @throws InvalidArgumentError for an invalid date
   */
  async advanceTo(instant: Date): Promise<void> {
    if (!(instant instanceof Date) || Number.isNaN(instant.getTime())) {
      throw new InvalidArgumentError(
        'instant',
        `must be a valid Date, not ${formatValue(instant)}`,
      );
    }
    const { clock } = this.harness;
    await this.harness.moveTo(clock.now() + Math.max(0, instant.getTime() - clock.date.getTime()));
  }

  /**
   * Moves the time until an execution has ended, and no further.
   *
   * @returns the execution, in whichever final status
   * @throws ExecutionStuckError if the execution does not end in `within`, or nothing more becomes due; it says what the execution
   *   waits for
   * @throws UnknownExecutionError
   * @throws NotAllowedError if the process crashes on the way
   */
  async advanceUntil(
    execution: ExecutionRef,
    { within = YEAR_MS }: AdvanceUntilOptions = {},
  ): Promise<Execution> {
    const { harness, runner } = this;
    const id = idOf(execution);
    const end = harness.clock.now() + millisecondsOf('within', within);
    await harness.settle();
    if (harness.isDown) throw crashed(`Waiting for execution ${id}`);
    let hasEnded = false;
    let failure: { readonly error: unknown } | undefined;
    const wait = runner
      .handle(id)
      .result({ settled: true })
      .then(
        () => (hasEnded = true),
        (error: unknown) => (failure = { error }),
      );
    const isOver = (): boolean => hasEnded || failure !== undefined || harness.isDown;
    await harness.settle();
    while (!isOver()) {
      const next = harness.clock.next();
      if (next === undefined || next > end) break;
      await harness.moveTo(next, isOver);
    }
    if (harness.isDown) throw crashed(`Waiting for execution ${id}`);
    if (failure !== undefined) throw failure.error;
    const read = await runner.get(id);
    if (read === null) throw new UnknownExecutionError(id, runner.tenant);
    if (read.completedAt === undefined) throw new ExecutionStuckError(read);
    await wait;
    return read;
  }
}

/** @throws InvalidArgumentError */
export function idOf(execution: ExecutionRef): string {
  const id: unknown = typeof execution === 'object' ? execution?.id : execution;
  if (typeof id === 'string') return id;
  throw new InvalidArgumentError(
    'execution',
    `must be the id of an execution, or an object that has it, not ${formatValue(execution)}`,
  );
}

function millisecondsOf(argument: string, duration: Duration): number {
  const ms = parseDuration(duration);
  if (ms !== undefined && ms >= 0) return ms;
  throw new InvalidArgumentError(
    argument,
    `must be a duration such as '14d', or milliseconds, not ${formatValue(duration)}`,
  );
}
