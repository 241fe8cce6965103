import { Module } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { CloacinaModule } from '../../../lib/cloacina.module.js';
import { getRunnerToken } from '../../../lib/cloacina.tokens.js';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import { METRIC } from '../../../lib/observability/names.js';
import { openTelemetry } from '../../../lib/otel.js';
import type { CloacinaRunner } from '../../../lib/runner/cloacina-runner.js';
import { databaseUrl, freshSchema } from '../../support/postgres.js';
import { RecordedTelemetry } from '../../support/recorded-telemetry.js';
import { preparedSchema } from '../tenants/prepared-schema.js';

const order = defineWorkflow('order')
  .task('charge', () => undefined)
  .build();
/** Its task has no slot, so it waits. */
const TASKS = 0;

let recorded: RecordedTelemetry;
let app: TestingModule;
beforeAll(async () => {
  recorded = new RecordedTelemetry();
  const own = { databaseUrl: databaseUrl(), poolSize: 8 };
  const [traced, client] = [await preparedSchema('traced'), await preparedSchema('client')];
  @Module({
    imports: [
      CloacinaModule.forRoot({ ...own, telemetry: openTelemetry() }),
      CloacinaModule.forTenant({ tenant: 'acme', schema: traced }),
      CloacinaModule.forTenant({
        tenant: 'idle',
        schema: client,
        maxConcurrentTasks: TASKS,
      }),
    ],
    providers: [{ provide: 'order', useValue: order }],
  })
  class AppModule {}
  app = await Test.createTestingModule({ imports: [AppModule] }).compile();
  await app.init();
});
afterAll(async () => {
  await app.close();
  await recorded.end();
});
const runnerOf = (tenant: string) => app.get<CloacinaRunner>(getRunnerToken(tenant));

it('The option traces and measures the tenants of an application', async () => {
  await runnerOf('acme').execute(order);
  // The task may end before the reply to the start.
  expect(recorded.spans.map(({ name }) => name).toSorted()).toEqual([
    'run order/charge',
    'start order',
  ]);
  expect(await recorded.values(METRIC.executionsEnded)).toMatchObject([
    { attributes: { 'cloacina.tenant': 'acme', 'cloacina.workflow': 'order' }, value: 1 },
  ]);
});

it('Collections read the slots, the pools and the backlog of the database', async () => {
  await runnerOf('idle').start(order);
  expect(await recorded.values(METRIC.slotLimit)).toEqual([{ attributes: {}, value: 100 }]);
  const max = await recorded.values(METRIC.poolMax);
  expect(max).toEqual([
    { attributes: { 'db.client.connection.pool.name': 'cloacina/statements' }, value: 4 },
    { attributes: { 'db.client.connection.pool.name': 'cloacina/general' }, value: 4 },
  ]);
  const of = async (metric: string, tenant: string) =>
    (await recorded.values(metric)).find(
      ({ attributes }) => Reflect.get(attributes, 'cloacina.tenant') === tenant,
    )?.value;
  expect(await of(METRIC.backlogDue, 'acme')).toBe(0);
  expect(await of(METRIC.backlogDue, 'idle')).toBe(1);
  expect(await of(METRIC.backlogAge, 'idle')).toBeGreaterThan(0);
});

it('No other value than that of openTelemetry() is accepted, and only in forRoot()', async () => {
  const schema = freshSchema('refused');
  @Module({
    imports: [
      CloacinaModule.forRoot({ databaseUrl: databaseUrl(), telemetry: {} as never }),
      CloacinaModule.forTenant({ schema, telemetry: openTelemetry() }),
    ],
  })
  class Wrong {}
  const booting = Test.createTestingModule({ imports: [Wrong] })
    .compile()
    .then((made) => made.init());
  await expect(booting).rejects.toMatchObject({
    problems: expect.arrayContaining([
      expect.stringContaining('must be what openTelemetry() of nestjs-cloacina/otel returns'),
      expect.stringContaining('is an option of forRoot() only'),
    ]),
  });
});
