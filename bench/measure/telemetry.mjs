import { loadBuiltEntry } from './built-library.mjs';

/** Gets everything and keeps nothing, so that only the library and the SDK are measured. */
const nowhere = {
  export: (_, done) => done({ code: 0 }),
  forceFlush: async () => {},
  shutdown: async () => {},
};

/**
 * The option `telemetry` of a configuration.
 *
 * @param kind - `api`: without an SDK. `sdk`: with one that samples every span, as it does by default
 */
export async function telemetryOf(kind) {
  if (kind === undefined) return {};
  if (kind === 'sdk') await registerSdk();
  const { openTelemetry } = await loadBuiltEntry('otel');
  return { telemetry: openTelemetry() };
}

async function registerSdk() {
  const { metrics } = await import('@opentelemetry/api');
  const { MeterProvider, PeriodicExportingMetricReader } =
    await import('@opentelemetry/sdk-metrics');
  const { BatchSpanProcessor, NodeTracerProvider } = await import('@opentelemetry/sdk-trace-node');
  const spanProcessors = [new BatchSpanProcessor(nowhere)];
  new NodeTracerProvider({ spanProcessors }).register();
  const readers = [
    new PeriodicExportingMetricReader({
      exporter: nowhere,
      exportIntervalMillis: 10_000,
      exportTimeoutMillis: 5_000,
    }),
  ];
  metrics.setGlobalMeterProvider(new MeterProvider({ readers }));
}
