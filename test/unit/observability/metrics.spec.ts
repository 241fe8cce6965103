import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import type { PoolUse } from '../../../lib/events/telemetry.js';
import { METRIC } from '../../../lib/observability/names.js';
import { Telemetry } from '../../../lib/observability/open-telemetry.js';
import { ManualClock } from '../../../lib/testing/manual-clock.js';
import { RecordedTelemetry } from '../../support/recorded-telemetry.js';
import { tracedProcesses } from './traced-processes.js';

const processes = tracedProcesses();
let recorded: RecordedTelemetry;
beforeEach(() => {
  recorded = new RecordedTelemetry();
});
afterEach(() => recorded.end());

const SECOND = 1_000;
/** The labels of a task of the run below. */
const ofWorkflow = { 'cloacina.tenant': 't', 'cloacina.workflow': 'order' };
const ofCharge = { ...ofWorkflow, 'cloacina.task': 'charge' };

describe('The metrics of a run whose first attempt fails', () => {
  const order = defineWorkflow('order')
    .task('charge', { retry: { maxAttempts: 2, delay: '5s', jitter: false } }, async (context) => {
      await processes.clock.sleep(2 * SECOND);
      if (context.attempt === 1) throw new RangeError('no');
    })
    .task('ship', { dependsOn: ['charge'] }, () => undefined)
    .build();

  beforeEach(async () => {
    const process = await processes.boot([order]);
    const { id } = await process.runner.start(order, {}, { delay: '10s' });
    await processes.ended(process, id);
  });

  it('count executions and tasks by outcome, and retries by error', async () => {
    expect(await recorded.values(METRIC.executionsStarted)).toEqual([
      { attributes: ofWorkflow, value: 1 },
    ]);
    expect(await recorded.values(METRIC.executionsEnded)).toEqual([
      { attributes: { ...ofWorkflow, 'cloacina.status': 'Completed' }, value: 1 },
    ]);
    expect(await recorded.values(METRIC.tasksEnded)).toEqual(
      ['charge', 'ship'].map((task) => ({
        attributes: { ...ofWorkflow, 'cloacina.task': task, 'cloacina.status': 'Completed' },
        value: 1,
      })),
    );
    expect(await recorded.values(METRIC.tasksRetried)).toEqual([
      { attributes: { ...ofCharge, 'error.type': 'RangeError' }, value: 1 },
    ]);
  });

  it('measure durations in seconds', async () => {
    const durations = await recorded.values(METRIC.attemptDuration);
    expect(durations).toEqual([
      {
        attributes: {
          ...ofCharge,
          'cloacina.attempt.outcome': 'failed',
          'error.type': 'RangeError',
        },
        count: 1,
        sum: 2,
      },
      { attributes: { ...ofCharge, 'cloacina.attempt.outcome': 'completed' }, count: 1, sum: 2 },
      {
        attributes: {
          ...ofWorkflow,
          'cloacina.task': 'ship',
          'cloacina.attempt.outcome': 'completed',
        },
        count: 1,
        sum: 0,
      },
    ]);
    const [execution] = await recorded.values(METRIC.executionDuration);
    // The delay of the start, both attempts, and the delay of the retry.
    expect(execution?.sum).toBeGreaterThanOrEqual(10 + 2 + 5 + 2);
  });

  it('measure for how long tasks were due, and how many items statements have', async () => {
    const waits = await recorded.values(METRIC.taskWait);
    expect(waits.map(({ count }) => count)).toEqual([2, 1]);
    expect(await recorded.values(METRIC.batchSize)).toEqual(
      expect.arrayContaining([
        { attributes: { 'cloacina.batch.kind': 'start' }, count: 1, sum: 1 },
        { attributes: { 'cloacina.batch.kind': 'claim' }, count: 2, sum: 2 },
        { attributes: { 'cloacina.batch.kind': 'outcome' }, count: 2, sum: 2 },
      ]),
    );
  });

  it('have names of one form and units of UCUM', async () => {
    const metrics = await recorded.metrics();
    expect(metrics.length).toBeGreaterThan(7);
    for (const { name, unit } of metrics) {
      expect(name).toMatch(/^(cloacina|db\.client)(\.[a-z]+(_[a-z]+)?)+$/);
      expect(unit).toMatch(/^(s|\{[a-z]+\})$/);
    }
  });
});

it('A task that waited for a slot has waited since it was due', async () => {
  const slow = defineWorkflow('slow')
    .task('a', () => processes.clock.sleep(30 * SECOND))
    .build();
  const process = await processes.boot([slow], { tasks: 1 });
  const first = await process.runner.start(slow);
  const second = await process.runner.start(slow);
  for (const { id } of [first, second]) await processes.ended(process, id);
  const [wait] = await recorded.values(METRIC.taskWait);
  expect(wait?.count).toBe(2);
  expect(wait?.sum).toBeGreaterThanOrEqual(30);
  expect(wait?.sum).toBeLessThan(60);
});

describe('The label of the tenant', () => {
  const started = (telemetry: Telemetry, tenant: string) =>
    telemetry.listener.receive({
      type: 'execution.started',
      tenant,
      executionId: '0',
      workflow: 'w',
    });

  it('names as many tenants as the option allows, and joins the others', async () => {
    const telemetry = new Telemetry({ maxTenants: 2 }, new ManualClock());
    for (const tenant of ['a', 'b', 'c', 'd', 'a']) started(telemetry, tenant);
    const values = await recorded.values(METRIC.executionsStarted);
    expect(
      values.map(({ attributes, value }) => [Reflect.get(attributes, 'cloacina.tenant'), value]),
    ).toEqual([
      ['a', 2],
      ['b', 1],
      ['_other', 2],
    ]);
  });

  it('is left out with 0', async () => {
    const telemetry = new Telemetry({ maxTenants: 0 }, new ManualClock());
    for (const tenant of ['a', 'b']) started(telemetry, tenant);
    expect(await recorded.values(METRIC.executionsStarted)).toEqual([
      { attributes: { 'cloacina.workflow': 'w' }, value: 2 },
    ]);
  });
});

it('The types of errors are bounded, whatever names handlers give them', async () => {
  const telemetry = new Telemetry({}, new ManualClock());
  const attempt = {
    tenant: 't',
    executionId: '0',
    workflow: 'w',
    task: 'a',
    attempt: 1,
    maxAttempts: 1,
    recoveryAttempt: 0,
    traceContext: null,
  };
  const failWith = (name: string): void =>
    telemetry.attempt(attempt)?.ended('failed', { name, message: 'no' });
  for (let n = 0; n < 60; n++) {
    failWith(`Order${n}Failed`);
    failWith('RangeError');
  }
  const values = await recorded.values(METRIC.attemptDuration);
  const types = new Map(
    values.map(({ attributes, count }) => [Reflect.get(attributes, 'error.type'), count]),
  );
  expect(types.size).toBe(51);
  expect(types.get('RangeError')).toBe(60);
  expect(types.get('_OTHER')).toBe(11);
});

describe('What is read when metrics are collected', () => {
  const pool = (name: string): PoolUse => ({ name, max: 4, used: 3, idle: 1, pending: 2 });
  let reads = 0;
  const source = {
    slots: () => {
      reads++;
      return { limit: 100, running: 7, queued: 3 };
    },
    pools: () => [pool('p')],
    backlog: () => {
      reads++;
      return Promise.resolve([
        { tenant: 'a', due: 1, oldestMs: 500 },
        { tenant: 'b', due: 2, oldestMs: 9_000 },
        { tenant: 'c', due: 4, oldestMs: 3_000 },
      ]);
    },
  };
  const valuesOf = async (name: string) =>
    (await recorded.values(name)).map(({ attributes, value }) => [
      ...(Object.values(attributes) as string[]),
      value,
    ]);

  it('are slots, pools and backlogs, until it is ended', async () => {
    const end = new Telemetry({ maxTenants: 1 }, new ManualClock()).observe(source);
    expect(await valuesOf(METRIC.slotLimit)).toEqual([[100]]);
    expect(await valuesOf(METRIC.slotUsed)).toEqual([[7]]);
    expect(await valuesOf(METRIC.slotQueued)).toEqual([[3]]);
    expect(await valuesOf(METRIC.poolCount)).toEqual([
      ['p', 'used', 3],
      ['p', 'idle', 1],
    ]);
    expect(await valuesOf(METRIC.poolMax)).toEqual([['p', 4]]);
    expect(await valuesOf(METRIC.poolPending)).toEqual([['p', 2]]);
    expect(await valuesOf(METRIC.backlogDue)).toEqual([
      ['a', 1],
      ['_other', 6],
    ]);
    expect(await valuesOf(METRIC.backlogAge)).toEqual([
      ['a', 0.5],
      ['_other', 9],
    ]);
    const before = reads;
    expect(before).toBeGreaterThan(0);
    end();
    await recorded.values(METRIC.slotLimit);
    expect(reads).toBe(before);
  });

  it('tells the backlogs of servers apart', async () => {
    const backlog = () =>
      Promise.resolve(
        ['eu', 'us', 'us'].map((server, i) => ({
          tenant: `t${i}`,
          server,
          due: 2 ** i,
          oldestMs: 0,
        })),
      );
    new Telemetry({ maxTenants: 0 }, new ManualClock()).observe({ ...source, backlog });
    const values = await recorded.values(METRIC.backlogDue);
    expect(
      values.map(({ attributes, value }) => [Reflect.get(attributes, 'cloacina.server'), value]),
    ).toEqual([
      ['eu', 1],
      ['us', 6],
    ]);
  });

  it('reads no backlog where the option says so, nor while the database is away', async () => {
    new Telemetry({ backlog: false }, new ManualClock()).observe(source);
    expect(await valuesOf(METRIC.backlogDue)).toEqual([]);
    const away = { ...source, backlog: () => Promise.reject(new Error('away')) };
    new Telemetry({}, new ManualClock()).observe(away);
    expect(await valuesOf(METRIC.backlogDue)).toEqual([]);
    expect(await valuesOf(METRIC.slotUsed)).not.toEqual([]);
  });
});

it('Recoveries and firings are measured in seconds', async () => {
  const telemetry = new Telemetry({}, new ManualClock());
  telemetry.recovered('t', 'lockGone', 1_500);
  telemetry.fired('t', 'w', 250);
  telemetry.listener.receive({
    type: 'task.recovered',
    tenant: 't',
    executionId: '0',
    workflow: 'w',
    task: 'a',
    cause: 'lockGone',
  });
  expect(await recorded.values(METRIC.recoveryDuration)).toEqual([
    {
      attributes: { 'cloacina.tenant': 't', 'cloacina.recovery.cause': 'lockGone' },
      count: 1,
      sum: 1.5,
    },
  ]);
  expect(await recorded.values(METRIC.scheduleLag)).toMatchObject([{ count: 1, sum: 0.25 }]);
  expect(await recorded.values(METRIC.tasksRecovered)).toMatchObject([
    { attributes: { 'cloacina.recovery.cause': 'lockGone' }, value: 1 },
  ]);
});
