import { expect, it } from '@jest/globals';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import { systemClock } from '../../../lib/runtime/clock.js';
import { CloacinaHealth } from '../../../lib/tenants/health/cloacina-health.js';
import type { HealthReport } from '../../../lib/tenants/health/health-report.js';
import {
  openTenant,
  openTenants,
  processEngineOf,
  type OpenTenant,
} from '../../support/open-tenant.js';
import { TcpProxy } from '../../support/tcp-proxy.js';
import { waitFor } from '../../support/wait-for.js';

const simple = defineWorkflow('simple')
  .task('only', () => undefined)
  .build();

function healthOf({ host }: Pick<OpenTenant, 'host'>): CloacinaHealth {
  return new CloacinaHealth({ host, clock: systemClock });
}

/** The report that `isAsExpected` accepts, once there is one: an answer counts for a second. */
async function report(
  health: CloacinaHealth,
  isAsExpected: (report: HealthReport) => boolean,
  options = {},
): Promise<HealthReport> {
  let found: HealthReport | undefined;
  await waitFor(async () => {
    found = await health.check(options);
    return isAsExpected(found);
  });
  return found!;
}

it('is up while everything works, and down from the begin of the shutdown on', async () => {
  const tenant = await openTenant([simple]);
  const health = healthOf(tenant);
  const found = await report(health, ({ status }) => status === 'up');
  expect(found).toMatchObject({
    isLive: true,
    isReady: true,
    reasons: [],
    databases: [{ isUp: true, controlConnection: 'open', tenants: 1 }],
    tenants: { total: 1, paused: 0, inTrouble: 0, troubled: [] },
  });
  expect(found).not.toHaveProperty('oldestDue');
  await tenant.host.drain();
  expect(await health.check()).toMatchObject({
    status: 'down',
    isLive: true,
    isReady: false,
    reasons: ['The process shuts down.'],
  });
});

it('is down, alive and not ready while the database is away, and up when it is back', async () => {
  const proxy = await TcpProxy.start();
  const tenant = await openTenant([simple], { databaseUrl: proxy.url });
  const health = healthOf(tenant);
  await proxy.refuse();
  const away = await report(health, ({ databases }) => databases[0]?.isUp === false);
  expect(away).toMatchObject({ status: 'down', isLive: true, isReady: false });
  expect(away.reasons[0]).toMatch(/^Database 127\.0\.0\.1:\d+\/.+ does not answer: /);
  await proxy.accept();
  const back = await report(health, ({ status }) => status === 'up');
  expect(back).toMatchObject({ isReady: true, reasons: [] });
});

it('is down while only the control connection is away, because nothing is claimed, but ready for starts', async () => {
  const proxy = await TcpProxy.start();
  const tenant = await openTenant([simple], { controlUrl: proxy.url });
  const health = healthOf(tenant);
  await proxy.refuse();
  const lost = await report(
    health,
    ({ databases }) => databases[0]?.controlConnection === 'lost' && databases[0].isUp,
  );
  expect(lost).toMatchObject({ status: 'down', isLive: true, isReady: true });
  expect(lost.reasons).toEqual([
    expect.stringMatching(/^The control connection to .+ is lost\. Nothing is claimed there/),
  ]);
});

it('is degraded, and not down, without a control connection in a process that has no slots', async () => {
  const proxy = await TcpProxy.start();
  const none = { controlUrl: proxy.url, maxConcurrentTasks: 0 };
  const tenant = await openTenant([simple], none);
  const health = healthOf(tenant);
  await proxy.refuse();
  const lost = await report(
    health,
    ({ databases }) => databases[0]?.controlConnection === 'lost' && databases[0].isUp,
  );
  expect(lost).toMatchObject({ status: 'degraded', isLive: true, isReady: true });
  tenant.engine.pauseClaiming();
  // Nothing was claimed before either.
  expect((await health.check()).reasons).toEqual([
    expect.stringMatching(/^The control connection to .+ is lost\./),
  ]);
});

it('is degraded while claiming is paused, and names the backlog that no process claims', async () => {
  const tenant = await openTenant([simple]);
  const health = healthOf(tenant);
  tenant.engine.pauseClaiming();
  await tenant.runner.start(simple);
  const found = await report(
    health,
    ({ tenants }) => tenants.inTrouble === 1,
    // The sweep comes when the test says so.
    (await processEngineOf(tenant).sweepOnce(), { backlogAfter: 1, listed: 1 }),
  );
  expect(found).toMatchObject({
    status: 'degraded',
    isReady: true,
    tenants: { paused: 1, troubled: [{ tenant: tenant.name, trouble: 'backlog' }] },
    oldestDue: { tenant: tenant.name, dueForMs: expect.any(Number) },
  });
  expect(found.reasons).toEqual([
    'Claiming is paused for all tenants of this process.',
    expect.stringMatching(/a task has been due since .+, and no process claims it/),
  ]);
  // The tasks of a paused workflow stay due, and are no backlog.
  await tenant.runner.pauseWorkflow('simple');
  expect(await health.check({ backlogAfter: 1 })).toMatchObject({ tenants: { inTrouble: 0 } });
});

it('lists the first tenants in trouble, and counts the others', async () => {
  const tenants = await openTenants([simple], [{}, {}, {}]);
  const [first] = tenants;
  const health = healthOf(first!);
  // A drop would lock table after table, and could deadlock with statements of the application.
  for (const { schema } of tenants.slice(1))
    await first!.query(`ALTER SCHEMA "${schema}" RENAME TO "${schema}_gone"`);
  await first!.host.recoverOnce();
  const found = await report(health, ({ tenants: { inTrouble } }) => inTrouble === 2, {
    listed: 1,
  });
  expect(found).toMatchObject({ status: 'degraded', isLive: true, isReady: true });
  expect(found.tenants).toMatchObject({
    total: 3,
    troubled: [{ trouble: 'schema', detail: expect.stringMatching(/tables can't be read/) }],
  });
  expect(found.reasons).toHaveLength(2);
});

it('refuses invalid options', async () => {
  const health = healthOf(await openTenant([simple]));
  for (const options of [{ timeout: '11s' }, { backlogAfter: 'soon' }, { listed: -1 }]) {
    await expect(health.check(options as never)).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      argument: Object.keys(options)[0],
    });
  }
});
