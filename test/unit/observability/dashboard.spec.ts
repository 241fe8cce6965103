import { readFileSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { metrics } from '@opentelemetry/api';
import { PrometheusExporter } from '@opentelemetry/exporter-prometheus';
import { MeterProvider } from '@opentelemetry/sdk-metrics';
import type { TracedAttempt } from '../../../lib/events/telemetry.js';
import { MEASURED_EVENTS } from '../../../lib/observability/measurements.js';
import { METRIC } from '../../../lib/observability/names.js';
import { Telemetry } from '../../../lib/observability/open-telemetry.js';
import { ManualClock } from '../../../lib/testing/manual-clock.js';

const FILE = path.resolve(import.meta.dirname, '../../../docs/grafana-dashboard.json');

interface Panel {
  readonly type: string;
  readonly title: string;
  readonly targets?: readonly { readonly expr: string; readonly legendFormat: string }[];
}
interface Dashboard {
  readonly panels: readonly Panel[];
  readonly templating: {
    readonly list: readonly { readonly query: string | { readonly query: string } }[];
  };
}

const dashboard = JSON.parse(readFileSync(FILE, 'utf8')) as Dashboard;
const expressions = dashboard.panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));
const variables = dashboard.templating.list.flatMap(({ query }) =>
  typeof query === 'string' ? [] : [query.query],
);
/** Names of metrics in an expression: those that end at a bracket, a parenthesis, a comma or the end. */
const metricsIn = (text: string): string[] =>
  text.match(/\b(?:cloacina|db_client)_\w+(?=[{[,)])/g)?.filter((name) => !isLabel(name)) ?? [];
const isLabel = (name: string): boolean => labels.has(name);

/** What Prometheus would read, and the labels in it. */
let scraped = '';
const labels = new Set<string>();
const names = new Set<string>();

const provider = new PrometheusExporter({ preventServerStart: true });
const server = http.createServer((request, response) =>
  provider.getMetricsRequestHandler(request, response),
);

beforeAll(async () => {
  metrics.setGlobalMeterProvider(new MeterProvider({ readers: [provider] }));
  emitAll(new Telemetry({}, new ManualClock()));
  await new Promise<void>((resolve) => server.listen(0, resolve));
  const { port } = server.address() as AddressInfo;
  scraped = await (await fetch(`http://localhost:${port}/metrics`)).text();
  for (const [, name = '', labelled = ''] of scraped.matchAll(/^(\w+)(?:\{(.*)\})? /gm)) {
    names.add(name);
    for (const [, label = ''] of labelled.matchAll(/(\w+)="/g)) labels.add(label);
  }
});
afterAll(async () => {
  server.close();
  await provider.shutdown();
  metrics.disable();
});

/** Measures each thing once. */
function emitAll(telemetry: Telemetry): void {
  const about = { tenant: 't', executionId: '01a22d37-ee61-7464-8114-07260449f611', workflow: 'w' };
  const ofTask = { ...about, task: 'a', attempt: 1, maxAttempts: 3 };
  const error = { name: 'Error', message: 'no' };
  for (const type of MEASURED_EVENTS) {
    const details = { status: 'Failed', error, cause: 'lockGone', retryInMs: 1 };
    telemetry.listener.receive({ type, ...ofTask, ...details } as never);
  }
  const attempt: TracedAttempt = { ...ofTask, recoveryAttempt: 0, traceContext: null, waitedMs: 1 };
  telemetry.attempt(attempt)?.ended('failed', error);
  telemetry.batch('start', 't', 3);
  telemetry.recovered('t', 'lockGone', 100);
  telemetry.fired('t', 'w', 100);
  telemetry.observe({
    slots: () => ({ limit: 1, running: 1, queued: 1 }),
    pools: () => [{ name: 'p', max: 1, used: 1, idle: 1, pending: 1 }],
    backlog: () => Promise.resolve([{ tenant: 't', due: 1, oldestMs: 1 }]),
  });
}

describe('The dashboard for Grafana', () => {
  it('asks for nothing that the exporter for Prometheus does not show', () => {
    expect(expressions.length).toBeGreaterThan(15);
    const asked = [...expressions, ...variables].flatMap(metricsIn);
    expect(asked.length).toBeGreaterThan(20);
    expect([...new Set(asked)].filter((name) => !names.has(name))).toEqual([]);
  });

  it('has no other labels than the metrics have', () => {
    const legends = dashboard.panels.flatMap(({ targets = [] }) =>
      targets.flatMap(({ legendFormat }) => legendFormat.match(/(?<=\{\{)\w+/g) ?? []),
    );
    const grouped = expressions.flatMap((text) =>
      [...text.matchAll(/by \(([^)]*)\)/g)].flatMap(([, list = '']) => list.split(/,\s*/)),
    );
    const matched = expressions.flatMap((text) => text.match(/\w+(?==~?")/g) ?? []);
    const chosen = variables.map((text) => /, (\w+)\)/.exec(text)?.[1] ?? '');
    const used = new Set([...legends, ...grouped, ...matched, ...chosen]);
    expect(used.size).toBeGreaterThan(8);
    expect([...used].filter((label) => !labels.has(label))).toEqual([]);
  });

  it('shows each metric', () => {
    const shown = new Set(expressions.flatMap(metricsIn));
    const missing = Object.values(METRIC).filter((name) => {
      const known = name.replaceAll('.', '_');
      return ![...shown].some((one) => one.startsWith(known));
    });
    expect(missing).toEqual([]);
  });
});
