import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import {
  AlwaysOffSampler,
  ParentBasedSampler,
  type ReadableSpan,
} from '@opentelemetry/sdk-trace-node';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import { RecordedTelemetry } from '../../support/recorded-telemetry.js';
import { tracedProcesses } from './traced-processes.js';

const processes = tracedProcesses();
let recorded: RecordedTelemetry;
beforeEach(() => {
  recorded = new RecordedTelemetry();
});
afterEach(() => recorded.end());

/** A tracer of the SDK of the test. */
const tracer = () => trace.getTracer('test');
const order = defineWorkflow('order')
  .task('charge', () => tracer().startActiveSpan('call the bank', (span) => span.end()))
  .task('ship', { dependsOn: ['charge'] }, () => undefined)
  .build();

const idsOf = (spans: readonly ReadableSpan[]) => spans.map((span) => span.spanContext().spanId);
const linksOf = (span: ReadableSpan | undefined) => span?.links.map((link) => link.context.spanId);
/** Runs the work within a span of the caller, which is returned. */
async function asCaller(work: () => Promise<unknown>): Promise<ReadableSpan> {
  await tracer().startActiveSpan('the request', async (span) => {
    await work();
    span.end();
  });
  return recorded.named('the request')[0]!;
}

describe('An execution that one process starts and another one runs', () => {
  it('is one trace: the caller, the start, each task and what its handler does', async () => {
    const client = await processes.boot([order], { tasks: 0 });
    let id = '';
    const caller = await asCaller(async () => void ({ id } = await client.runner.start(order)));
    await processes.boot([order]);
    expect(await processes.ended(client, id)).toBe('Completed');
    const [start] = recorded.named('start order');
    const [charge] = recorded.named('run order/charge');
    const [ship] = recorded.named('run order/ship');
    const [call] = recorded.named('call the bank');
    expect(start?.parentSpanContext?.spanId).toBe(caller.spanContext().spanId);
    expect(start?.kind).toBe(SpanKind.PRODUCER);
    for (const run of [charge, ship]) {
      expect(run?.kind).toBe(SpanKind.CONSUMER);
      expect(run?.parentSpanContext).toMatchObject({
        spanId: start?.spanContext().spanId,
        isRemote: true,
      });
      expect(linksOf(run)).toEqual(idsOf([start!]));
      expect(run?.attributes).toMatchObject({
        'cloacina.execution.id': id,
        'cloacina.tenant': 't',
        'cloacina.attempt.number': 1,
        'cloacina.attempt.outcome': 'completed',
        'messaging.system': 'cloacina',
        'messaging.operation.type': 'process',
        'messaging.destination.name': 'order',
      });
    }
    expect(call?.parentSpanContext?.spanId).toBe(charge?.spanContext().spanId);
    const traces = new Set(recorded.spans.map((span) => span.spanContext().traceId));
    expect(traces).toEqual(new Set([caller.spanContext().traceId]));
    expect(recorded.spans).toHaveLength(5);
  });

  it('has a trace of its own without a caller, and where the option says so', async () => {
    const own = await processes.boot([order], { options: { trace: 'execution' } });
    let id = '';
    const caller = await asCaller(async () => void ({ id } = await own.runner.start(order)));
    await processes.ended(own, id);
    const [start] = recorded.named('start order');
    expect(start?.parentSpanContext).toBeUndefined();
    expect(linksOf(start)).toEqual(idsOf([caller]));
    const [run] = recorded.named('run order/charge');
    expect(run?.spanContext().traceId).toBe(start?.spanContext().traceId);
    expect(run?.spanContext().traceId).not.toBe(caller.spanContext().traceId);
    recorded.forget();
    const plain = await processes.boot([order]);
    ({ id } = await plain.runner.start(order));
    await processes.ended(plain, id);
    expect(recorded.named('start order')[0]?.parentSpanContext).toBeUndefined();
    expect(recorded.spans.map((span) => span.name)).toHaveLength(4);
    expect(new Set(recorded.spans.map((span) => span.spanContext().traceId)).size).toBe(1);
  });

  it('is traced run by run if its start was not traced', async () => {
    const client = await processes.boot([order], { tasks: 0, options: null });
    const { id } = await client.runner.start(order);
    await processes.boot([order]);
    await processes.ended(client, id);
    expect(recorded.spans.map((span) => span.name).sort()).toEqual([
      'call the bank',
      'run order/charge',
      'run order/ship',
    ]);
    expect(recorded.named('run order/ship')[0]?.parentSpanContext).toBeUndefined();
  });

  it('is left out everywhere if the sampler left out its start', async () => {
    await recorded.end();
    recorded = new RecordedTelemetry(new ParentBasedSampler({ root: new AlwaysOffSampler() }));
    const client = await processes.boot([order], { tasks: 0 });
    const { id } = await client.runner.start(order);
    // The process that runs it would sample everything that has no parent.
    await recorded.end();
    recorded = new RecordedTelemetry();
    await processes.boot([order]);
    await processes.ended(client, id);
    expect(recorded.spans.map((span) => span.name)).toEqual([]);
  });
});

describe('The runs of a task', () => {
  it('have a span each, with the error of those that failed, without secrets', async () => {
    const flaky = defineWorkflow('flaky')
      .task('a', { retry: { maxAttempts: 3, delay: '1s' } }, (context) => {
        if (context.attempt < 3) throw new TypeError('no postgres://app:s3cret@db/shop');
      })
      .build();
    const process = await processes.boot([flaky]);
    const { id } = await process.runner.start(flaky, { card: 'number of the card' });
    expect(await processes.ended(process, id)).toBe('Completed');
    const runs = recorded.named('run flaky/a');
    expect(runs.map(({ attributes }) => attributes['cloacina.attempt.number'])).toEqual([1, 2, 3]);
    expect(runs.map(({ attributes }) => attributes['cloacina.attempt.outcome'])).toEqual([
      'failed',
      'failed',
      'completed',
    ]);
    const [first, , last] = runs;
    expect(first?.status).toEqual({
      code: SpanStatusCode.ERROR,
      message: 'no postgres://***@db/shop',
    });
    expect(first?.attributes['error.type']).toBe('TypeError');
    expect(first?.events).toMatchObject([
      { name: 'exception', attributes: { 'exception.type': 'TypeError' } },
    ]);
    expect(last?.status.code).toBe(SpanStatusCode.UNSET);
    const all = JSON.stringify(
      recorded.spans.map(({ attributes, events, status }) => ({ attributes, events, status })),
    );
    expect(all).not.toMatch(/s3cret|number of the card/);
  });

  it('leave out messages of errors where the option says so', async () => {
    const broken = defineWorkflow('broken')
      .task('a', { retry: { maxAttempts: 1 } }, () => {
        throw new TypeError('of Ada Lovelace');
      })
      .build();
    const process = await processes.boot([broken], { options: { errorDetails: false } });
    const { id } = await process.runner.start(broken);
    expect(await processes.ended(process, id)).toBe('Failed');
    const [run] = recorded.named('run broken/a');
    expect(run).toMatchObject({ status: { code: SpanStatusCode.ERROR }, events: [] });
    expect(run?.status.message).toBeUndefined();
    expect(run?.attributes['error.type']).toBe('TypeError');
  });

  it('end when a timeout gives them up, though the handler goes on', async () => {
    let release: () => void = () => undefined;
    const slow = defineWorkflow('slow')
      .task(
        'a',
        { timeout: '1m', retry: { maxAttempts: 1 } },
        () => new Promise<void>((resolve) => (release = resolve)),
      )
      .build();
    const process = await processes.boot([slow]);
    const { id } = await process.runner.start(slow);
    expect(await processes.ended(process, id, 61_000)).toBe('Failed');
    expect(recorded.named('run slow/a')).toMatchObject([
      { attributes: { 'error.type': 'TaskTimeoutError', 'cloacina.attempt.outcome': 'failed' } },
    ]);
    release();
  });

  it('show suspensions and deferrals as what they are, without an error', async () => {
    let asked = 0;
    const patient = defineWorkflow('patient')
      .task('sleeps', (context) => context.sleep('rest', '1s'))
      .task('waits', { dependsOn: ['sleeps'] }, (context) =>
        context.deferUntil(() => asked++ > 0, { every: '1s' }),
      )
      .build();
    const process = await processes.boot([patient]);
    const { id } = await process.runner.start(patient);
    expect(await processes.ended(process, id)).toBe('Completed');
    const outcomes = (name: string) =>
      recorded.named(name).map(({ attributes }) => attributes['cloacina.attempt.outcome']);
    expect(outcomes('run patient/sleeps')).toEqual(['suspended', 'completed']);
    expect(outcomes('run patient/waits')).toEqual(['deferred', 'completed']);
    expect(recorded.spans.every(({ status }) => status.code === SpanStatusCode.UNSET)).toBe(true);
  });
});

describe('A child', () => {
  const child = defineWorkflow('child')
    .task('b', () => undefined)
    .build();
  const parent = defineWorkflow('parent')
    .task('a', async (context) => {
      await context.execute(child);
    })
    .build();

  it.each(['caller', 'execution'] as const)(
    'and the run that starts it are linked both ways (trace: %s)',
    async (whose) => {
      const process = await processes.boot([child, parent], { options: { trace: whose } });
      const { id } = await process.runner.start(parent);
      expect(await processes.ended(process, id)).toBe('Completed');
      const [starter] = recorded.named('run parent/a');
      const [start] = recorded.named('start child');
      const [run] = recorded.named('run child/b');
      expect(linksOf(run)).toEqual(idsOf([start!]));
      expect(linksOf(starter)).toContain(start?.spanContext().spanId);
      const isOne = run?.spanContext().traceId === starter?.spanContext().traceId;
      expect(isOne).toBe(whose === 'caller');
      const above = isOne ? [start?.parentSpanContext?.spanId] : linksOf(start);
      expect(above).toEqual(idsOf([starter!]));
    },
  );
});

describe('Starts of many executions, and failed ones', () => {
  it('have one span', async () => {
    const process = await processes.boot([order]);
    const { ids } = await process.runner.startMany(order, [{}, {}, {}]);
    for (const id of ids) await processes.ended(process, id);
    expect(recorded.named('start order')).toHaveLength(1);
    const [start] = recorded.named('start order');
    expect(
      recorded.named('run order/ship').map(({ parentSpanContext }) => parentSpanContext?.spanId),
    ).toEqual(ids.map(() => start?.spanContext().spanId));
  });

  it('that find an earlier execution name it', async () => {
    const process = await processes.boot([order]);
    const key = { idempotencyKey: 'k' };
    const first = await process.runner.start(order, {}, key);
    await process.runner.start(order, {}, key);
    expect(recorded.named('start order').map(({ attributes }) => attributes)).toMatchObject([
      { 'cloacina.execution.id': first.id, 'cloacina.execution.created': true },
      { 'cloacina.execution.id': first.id, 'cloacina.execution.created': false },
    ]);
  });
});
