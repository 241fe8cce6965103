import { Inject, Injectable } from '@nestjs/common';
import { Cron, CronExpression } from '@nestjs/schedule';

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
@Injectable()
export class CloacinaRecoveryJobs {
  constructor(@Inject(RECOVERY_PASSES) private readonly passes: RecoveryPasses) {}

  @Cron(CronExpression.EVERY_30_SECONDS, {
    name: RECOVERY_JOB,
    waitForCompletion: true,
    unrefTimeout: true,
  })
  async recover(): Promise<void> {
    await this.passes.recoverOnce();
  }
}
