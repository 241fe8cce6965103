import { Injectable, Module } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import { Interval, ScheduleModule, SchedulerRegistry } from '@nestjs/schedule';
import { afterEach, describe, expect, it } from '@jest/globals';
import { CloacinaModule } from '../../../lib/cloacina.module.js';
import { getRecoveryToken } from '../../../lib/cloacina.tokens.js';
import { TENANT_MANAGER } from '../../../lib/boot/registration.js';
import { CloacinaRecovery } from '../../../lib/recovery/cloacina-recovery.js';
import { CloacinaRecoveryJobs, RECOVERY_JOB } from '../../../lib/recovery/recovery-jobs.js';
import type { TenantManager } from '../../../lib/tenants/hosting/tenant-manager.js';
import { databaseUrl } from '../../support/postgres.js';
import { waitFor } from '../../support/wait-for.js';
import { preparedSchema } from '../tenants/prepared-schema.js';

@Injectable()
class HostJobs {
  /** When each turn of the host's own job came. */
  readonly turns: number[] = [];

  @Interval('host job', 100)
  run(): void {
    this.turns.push(performance.now());
  }
}

const open: TestingModule[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((app) => app.close()));
});

async function start(withScheduler: boolean): Promise<{ app: TestingModule; schema: string }> {
  const schema = await preparedSchema();
  @Module({
    imports: [
      ...(withScheduler ? [ScheduleModule.forRoot()] : []),
      CloacinaModule.forRoot({ databaseUrl: databaseUrl() }),
      CloacinaModule.forTenant({ schema }),
    ],
    providers: [HostJobs],
  })
  class AppModule {}
  const app = await Test.createTestingModule({ imports: [AppModule] }).compile();
  open.push(app);
  await app.init();
  return { app, schema };
}

describe('The recovery job', () => {
  it('is one of the SchedulerRegistry of a host that has one, and runs a pass', async () => {
    const { app } = await start(true);
    const registry = app.get(SchedulerRegistry);
    expect([...registry.getCronJobs().keys()]).toEqual([RECOVERY_JOB]);
    const host = app.get<TenantManager>(TENANT_MANAGER);
    let passes = 0;
    const { recoverOnce } = host;
    host.recoverOnce = async () => {
      passes++;
      await recoverOnce.call(host);
    };
    await registry.getCronJob(RECOVERY_JOB).fireOnTick();
    await waitFor(() => passes === 1);
  });

  it("doesn't make the host's own jobs run twice", async () => {
    const { app } = await start(true);
    const { turns } = app.get(HostJobs);
    expect(app.get(SchedulerRegistry).getIntervals()).toEqual(['host job']);
    await waitFor(() => turns.length > 20);
    const apart = turns.slice(1).map((turn, i) => turn - (turns[i] ?? 0));
    // With two timers every other turn would come right after the one before; with one, few do after a pause.
    expect(apart.filter((ms) => ms < 30).length).toBeLessThan(apart.length / 4);
  });

  it('is a method to call, and harmless, in a host without a scheduler', async () => {
    const { app, schema } = await start(false);
    expect(() => app.get(SchedulerRegistry)).toThrow();
    await expect(app.get(CloacinaRecoveryJobs).recover()).resolves.toBeUndefined();
    expect(app.get(getRecoveryToken(schema))).toBeInstanceOf(CloacinaRecovery);
    expect(await app.get<CloacinaRecovery>(getRecoveryToken(schema)).run()).toEqual({
      recovered: 0,
      abandoned: 0,
      blocked: 0,
    });
    expect(app.get(HostJobs).turns).toEqual([]);
  });
});
