import type { ModulesContainer } from '@nestjs/core';
import { ConfigurationError } from '../errors/index.js';

/** What recovers all tenants of the application. */
export const RECOVERY_PASSES = Symbol('CloacinaRecoveryPasses');

export interface RecoveryPasses {
  recoverOnce(): Promise<unknown>;
}

/** The name of the job in Nest's SchedulerRegistry. */
export const RECOVERY_JOB = 'cloacina-recovery';

/**
 * The periodic pass as a job of `@nestjs/schedule`: an application that has a ScheduleModule finds it in its
 * SchedulerRegistry, can look at it and can trigger it. The library's own timers run the same pass with or without
 * one; a pass finds nothing to do where another was before it, so both at once do no harm.
 *
 * The library doesn't import ScheduleModule itself: a second one would run the application's own jobs twice.
 */
export class CloacinaRecoveryJobs {
  /** @internal Applications get it by injection. */
  constructor(private readonly passes: RecoveryPasses) {}

  async recover(): Promise<void> {
    await this.passes.recoverOnce();
  }
}

/**
 * The job, with the metadata that ScheduleModule looks for. `@nestjs/schedule` is an optional peer and takes as long to
 * load as the library, so it is loaded only in applications that have a ScheduleModule.
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
