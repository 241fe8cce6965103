import { Logger } from '@nestjs/common';
import type { TaskClaim } from '../claims/task-claim.js';
import type { Suspension } from '../waits/suspension.js';
import { TaskSteps } from '../waits/task-steps.js';
import { TaskDeferral } from './task-deferral.js';
import type { TaskSurroundings } from './task-surroundings.js';

/**
 * One run of a handler as the engine sees it: the durable calls that it has made, and whether it has returned. A call that
 * defers or suspends the task counts even if the handler caught its signal, or did not await it.
 */
export class TaskRun {
  hasReturned = false;
  /** What statements of the library failed with that the handler made; undefined if none has failed. */
  libraryFailure: { readonly error: unknown } | undefined;
  private hasWarned = false;
  private lazyLogger: Logger | undefined;
  /** Created on first use, because few tasks defer themselves. */
  private lazyDeferral: TaskDeferral | undefined;
  /** Created on first use, because few tasks have steps. */
  private lazySteps: TaskSteps | undefined;

  constructor(
    private readonly claim: TaskClaim,
    private readonly surroundings: Pick<
      TaskSurroundings,
      'assertOpen' | 'clock' | 'steps' | 'tenant'
    >,
  ) {}

  get logger(): Logger {
    const { definition, executionId, task } = this.claim;
    return (this.lazyLogger ??= new Logger(
      `${this.surroundings.tenant} ${definition.workflow.name}.${task.name} ${executionId}`,
    ));
  }

  get deferral(): TaskDeferral {
    return (this.lazyDeferral ??= new TaskDeferral(this.claim, this.surroundings.clock));
  }

  get steps(): TaskSteps {
    if (this.lazySteps === undefined) {
      this.lazySteps = new TaskSteps(this.claim, this.surroundings.steps);
      if (this.hasReturned) this.lazySteps.returned();
    }
    return this.lazySteps;
  }

  /** Time until the next check, in milliseconds; set once `deferUntil` has deferred the task. */
  get deferredForNextMs(): number | undefined {
    return this.lazyDeferral?.everyMs;
  }

  /** Set once a wait has suspended the task. */
  get suspension(): Suspension | undefined {
    return this.lazySteps?.points.suspension;
  }

  /** Set once a step has to begin again, by no fault of the handler: the time until then, in milliseconds. */
  get givenBackInMs(): number | undefined {
    return this.lazySteps?.givenBackInMs;
  }

  /** Whether steps or waits have not settled. */
  get hasOpenPoints(): boolean {
    return this.lazySteps?.points.isBusy === true;
  }

  /**
   * Call when the handler threw. Resolves when no step or wait is in flight, whatever came of it. Waits that had not
   * suspended the task before no longer do so: the attempt has failed.
   */
  async threw(): Promise<void> {
    const points = this.lazySteps?.points;
    points?.failed();
    await points?.whenSettled().catch(() => undefined);
  }

  /**
   * The durable calls that the handler did not await before it returned; undefined without such calls. They still decide
   * about the run, because the handler has declared that the task depends on them. Logs a warning.
   */
  get unawaited(): Promise<unknown> | undefined {
    if (this.lazyDeferral?.isAsking === true) {
      this.warn(
        'it returned without waiting for deferUntil(); await the call, or the code behind it runs before the condition holds',
      );
      return this.lazyDeferral.last;
    }
    if (!this.hasOpenPoints) return undefined;
    this.warn(
      'it returned without waiting for a step() or a wait; await the call, or the code behind it runs before the result is recorded',
    );
    return this.lazySteps?.points.whenSettled();
  }

  /** Runs statements of the library in the handler's transaction, and notes their failure, whatever the handler makes of it. */
  async byLibrary<T>(work: () => Promise<T>): Promise<T> {
    // In a transaction that has failed, they would fail too. In one that has ended, they would be committed by themselves.
    await this.surroundings.assertOpen?.();
    try {
      return await work();
    } catch (error) {
      this.libraryFailure ??= { error };
      throw error;
    }
  }

  /** Call when the handler has returned. Later writes are not stored, and later steps are refused. */
  returned(): void {
    this.hasReturned = true;
    this.lazySteps?.returned();
  }

  /**
   * Warns that the handler returned although `deferUntil` deferred the task: it caught the signal or did not await it.
   */
  warnDeferralIgnored(): void {
    this.warn(
      'it returned although deferUntil() had deferred it; await the call, and do not catch what it throws',
    );
  }

  /** Warns that the handler returned although a wait suspended the task. */
  warnSuspensionIgnored(): void {
    this.warn(
      'it returned although a wait had suspended it; await the call, and do not catch what it throws',
    );
  }

  /** Warns that the handler returned although a step could not be recorded. */
  warnGiveBackIgnored(): void {
    this.warn(
      'it returned although the transaction of a step() could not be committed; do not catch the DatabaseUnavailableError that it throws',
    );
  }

  /** Warns that work of the handler changed a key of the context after the handler had returned. */
  warnWriteIgnored(key: string): void {
    this.warn(
      `it changed the context key ${JSON.stringify(key)} after it had returned, which is not stored; await all work of the handler`,
    );
  }

  /** Warns once for each run, because a loop that still runs would fill the log. */
  private warn(what: string): void {
    if (this.hasWarned) return;
    this.hasWarned = true;
    this.logger.warn(`Task "${this.claim.task.name}": ${what}.`);
  }
}
