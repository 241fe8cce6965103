import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { SpanKind, trace } from '@opentelemetry/api';
import type { ReadableSpan } from '@opentelemetry/sdk-trace-node';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import { openTelemetry } from '../../../lib/otel.js';
import { instrument } from '../../support/instrumented.js';
import {
  groupOf,
  type OpenTenant,
  openTenant,
  processEngineOf,
} from '../../support/open-tenant.js';
import { RecordedTelemetry } from '../../support/recorded-telemetry.js';
import { SentStatements } from '../../support/sent-statements.js';

/** Rounds of what a process does while it is idle. */
const ROUNDS = 20;

const server = http.createServer((_, response) => response.end('ok'));
const get = () =>
  new Promise<void>((resolve, reject) => {
    const { port } = server.address() as AddressInfo;
    http
      .get({ port, path: '/' }, (response) => response.resume().on('end', resolve))
      .on('error', reject);
  });

const order = defineWorkflow('order')
  .task('plain', async (context) => {
    await context.dataSource.query('SELECT 17');
    await get();
  })
  .task('written', { dependsOn: ['plain'], transactional: true }, async (context) => {
    await context.manager.query('SELECT 18');
  })
  .task('stepped', { dependsOn: ['written'] }, async (context) => {
    await context.step('one', () => 1);
    await context.sleep('rest', '1ms');
    await context.execute(nothing);
  })
  .build();
const nothing = defineWorkflow('nothing')
  .task('a', () => undefined)
  .build();

let recorded: RecordedTelemetry;
let statements: SentStatements;
let tenant: OpenTenant;
beforeAll(async () => {
  // Beneath the instrumentation, so that it counts what is really sent.
  statements = new SentStatements();
  instrument();
  recorded = new RecordedTelemetry();
  await new Promise<void>((resolve) => server.listen(0, resolve));
  tenant = await openTenant([order, nothing], {
    telemetry: openTelemetry(),
    leaseDurationMs: 3_000,
  });
});
afterAll(async () => {
  await tenant.close();
  await recorded.end();
  server.close();
});
beforeEach(() => recorded.forget());

const parentOf = (span: ReadableSpan | undefined) => span?.parentSpanContext?.spanId;
const textOf = ({ attributes }: ReadableSpan) => String(attributes['db.query.text'] ?? '');
const idOf = (span: ReadableSpan | undefined) => span?.spanContext().spanId;

describe('A process with instrumentations of pg and http', () => {
  it('has no span of the boot, nor while it is idle', async () => {
    expect(statements.all.length).toBeGreaterThan(10);
    statements.forget();
    const process = processEngineOf(tenant);
    for (let round = 0; round < ROUNDS; round++) {
      await process.sweepOnce();
      await process.renewOnce();
      await groupOf(tenant).recovery.runOnce('leaseOver');
      await process.backlog();
      process.notifyTenants();
    }
    expect(statements.all.length).toBeGreaterThanOrEqual(3 * ROUNDS);
    expect(recorded.spans.map(({ name }) => name)).toEqual([]);
  });

  it('has a span of each statement of others', async () => {
    await tenant.dataSource.query('SELECT 16');
    expect(recorded.spans.map(textOf)).toContain('SELECT 16');
  });

  it('traces an execution with what its handlers send, and nothing of the library', async () => {
    const tracer = trace.getTracer('test');
    const id = await tracer.startActiveSpan('the request', async (span) => {
      const handle = await tenant.runner.start(order);
      span.end();
      return handle.id;
    });
    await tenant.runner.handle(id).result();
    const [request] = recorded.named('the request');
    const run = (task: string) => recorded.named(`run order/${task}`)[0];
    const statementOf = (text: string) => recorded.spans.find((span) => textOf(span) === text);
    expect(parentOf(statementOf('SELECT 17'))).toBe(idOf(run('plain')));
    const call = recorded.named('GET').find(({ kind }) => kind === SpanKind.CLIENT);
    expect(parentOf(call)).toBe(idOf(run('plain')));
    expect(parentOf(statementOf('SELECT 18'))).toBe(idOf(run('written')));
    expect(recorded.named('run nothing/a')).toHaveLength(1);
    const others = recorded.spans.filter((span) => span !== request);
    expect(others.filter((span) => parentOf(span) === undefined).map(({ name }) => name)).toEqual(
      [],
    );
    const traces = new Set(recorded.spans.map((span) => span.spanContext().traceId));
    expect(traces.size).toBe(1);
    const texts = recorded.spans.map(textOf);
    expect(texts.filter((text) => /cloacina_/.test(text))).toEqual([]);
  });

  it('reads executions and starts them in transactions without spans of its own', async () => {
    await tenant.dataSource.transaction((manager) => tenant.runner.start(nothing, {}, { manager }));
    await tenant.runner.list({ limit: 10 });
    await tenant.runner.counts();
    const texts = recorded.spans.map(textOf);
    expect(texts.filter((text) => /cloacina_/.test(text))).toEqual([]);
    expect(recorded.named('start nothing')).toHaveLength(1);
  });
});
