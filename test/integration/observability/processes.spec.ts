import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { openTelemetry } from '../../../lib/otel.js';
import { startChild } from '../../support/child-process.js';
import { openTenant } from '../../support/open-tenant.js';
import { freshSchema } from '../../support/postgres.js';
import { RecordedTelemetry } from '../../support/recorded-telemetry.js';
import type { TracedReport } from './traced-process.js';
import { tracked } from './tracked.js';

const SCRIPT = new URL('traced-process.ts', import.meta.url);

let recorded: RecordedTelemetry;
beforeAll(() => {
  recorded = new RecordedTelemetry();
});
afterAll(() => recorded.end());

test('The run of a task in the process that recovers it belongs to the trace of the start', async () => {
  const schema = freshSchema();
  const definition = tracked(() => undefined);
  const client = await openTenant([definition], {
    schema,
    maxConcurrentTasks: 0,
    telemetry: openTelemetry(),
  });
  const { id } = await client.runner.start(definition);
  const start = recorded.named('start tracked')[0]?.spanContext();
  const killed = startChild(SCRIPT, { env: { TRACED_SCHEMA: schema, TRACED_DIES: 'yes' } });
  expect(await killed.end()).toMatchObject({ signal: 'SIGKILL' });
  const other = startChild(SCRIPT, { env: { TRACED_SCHEMA: schema } });
  await client.runner.handle(id).result();
  other.send({ report: true });
  const report = await other.message<TracedReport>(({ kind }) => kind === 'report');
  expect(report.spans).toEqual([
    expect.objectContaining({ name: 'run tracked/first', traceId: start?.traceId }),
    expect.objectContaining({ name: 'run tracked/second', traceId: start?.traceId }),
  ]);
  const [first, second] = report.spans;
  expect(first).toMatchObject({ parent: start?.spanId });
  expect(first?.attributes).toMatchObject({
    'cloacina.attempt.number': 1,
    'cloacina.attempt.recovery': 1,
    'cloacina.execution.id': id,
  });
  expect(second?.attributes).toMatchObject({ 'cloacina.attempt.recovery': 0 });
  // The process was lost before this one or the client looked. Whichever recovered its task has measured it.
  const taken = await recorded.values('cloacina.task.recovered');
  const all = [...report.recovered, ...taken];
  expect(all.map(({ value }) => value)).toEqual([1]);
  expect(all[0]?.attributes).toMatchObject({
    'cloacina.workflow': 'tracked',
    'cloacina.task': 'first',
    'cloacina.attempt.outcome': 'recovered',
  });
  const recoveries = [
    ...report.recoveries,
    ...(await recorded.values('cloacina.recovery.duration')),
  ];
  expect(recoveries.map(({ count }) => count)).toEqual([1]);
});
