import type { ModulesContainer } from '@nestjs/core';
import { ConfigurationError } from '../errors/index.js';

/** Injection token of the {@link RecoveryPasses}. */
export const RECOVERY_PASSES = Symbol('CloacinaRecoveryPasses');

/** Recovers all tenants of the application. */
export interface RecoveryPasses {
  recoverOnce(): Promise<unknown>;
}

/** The name of the job in Nest's SchedulerRegistry. */
export const RECOVERY_JOB = 'cloacina-recovery';

/**
 * The periodic recovery pass as a job of `@nestjs/schedule`. An application with a ScheduleModule finds the job in its
 * SchedulerRegistry, where it can inspect and trigger it. The library's own timers run the same pass in any case. Two
 * passes at the same time do no harm: each task is recovered by one of them.
 *
 * The library does not import ScheduleModule itself: a second one would run the application's own jobs twice.
 */
export class CloacinaRecoveryJobs {
  /** @internal Applications get it by injection. */
  constructor(private readonly passes: RecoveryPasses) {}

  /** Recovers the tasks of lost processes in all tenants of the application. */
  async recover(): Promise<void> {
    await this.passes.recoverOnce();
  }
}

/**
 * Makes the job, with the metadata that ScheduleModule looks for. `@nestjs/schedule` is an optional peer that takes as
 * long to load as the library, so only applications with a ScheduleModule load it.
 *
 * @throws ConfigurationError if the application has a ScheduleModule but the library cannot load `@nestjs/schedule`
 */
export async function recoveryJobs(
  passes: RecoveryPasses,
  modules: ModulesContainer,
): Promise<CloacinaRecoveryJobs> {
  if (hasScheduler(modules)) await registerJob();
  return new CloacinaRecoveryJobs(passes);
}

function hasScheduler(modules: ModulesContainer): boolean {
  return [...modules.values()].some(({ name }) => name === 'ScheduleModule');
}

async function registerJob(): Promise<void> {
  const { Cron, CronExpression } = await import('@nestjs/schedule').catch((cause: unknown) => {
    throw new ConfigurationError(
      [
        'The application imports ScheduleModule, but nestjs-cloacina cannot load @nestjs/schedule. ' +
          'Install @nestjs/schedule in the package that depends on nestjs-cloacina.',
      ],
      { cause },
    );
  });
  const method = Object.getOwnPropertyDescriptor(CloacinaRecoveryJobs.prototype, 'recover');
  if (method === undefined) return;
  Cron(CronExpression.EVERY_30_SECONDS, {
    name: RECOVERY_JOB,
    waitForCompletion: true,
    unrefTimeout: true,
  })(CloacinaRecoveryJobs.prototype, 'recover', method);
}
