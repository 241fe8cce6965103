import { context, metrics, propagation, trace } from '@opentelemetry/api';
import {
  AggregationTemporality,
  type DataPoint,
  type Histogram,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics';
import {
  InMemorySpanExporter,
  NodeTracerProvider,
  type ReadableSpan,
  type Sampler,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-node';

/** The SDK of OpenTelemetry, registered for the process, with exporters that keep what they get. */
export class RecordedTelemetry {
  private readonly exporter = new InMemorySpanExporter();
  private readonly provider: NodeTracerProvider;
  private readonly metricExporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  private readonly reader = new PeriodicExportingMetricReader({
    exporter: this.metricExporter,
    exportIntervalMillis: 2 ** 31 - 1,
  });

  constructor(sampler?: Sampler) {
    this.provider = new NodeTracerProvider({
      spanProcessors: [new SimpleSpanProcessor(this.exporter)],
      ...(sampler === undefined ? {} : { sampler }),
    });
    this.provider.register();
    metrics.setGlobalMeterProvider(new MeterProvider({ readers: [this.reader] }));
  }

  /** The spans that have ended, oldest first. */
  get spans(): ReadableSpan[] {
    return this.exporter.getFinishedSpans();
  }

  named(name: string): ReadableSpan[] {
    return this.spans.filter((span) => span.name === name);
  }

  forget(): void {
    this.exporter.reset();
  }

  /** The values of a metric by its attributes: a number, or for a histogram its count and sum. */
  async values(name: string): Promise<Value[]> {
    this.metricExporter.reset();
    await this.reader.forceFlush();
    const all = this.metricExporter
      .getMetrics()
      .flatMap(({ scopeMetrics }) => scopeMetrics)
      .flatMap((scope) => scope.metrics);
    return all
      .filter(({ descriptor }) => descriptor.name === name)
      .flatMap(({ dataPoints }) => dataPoints as DataPoint<number | Histogram>[])
      .map(({ attributes, value }) =>
        typeof value === 'number'
          ? { attributes, value }
          : { attributes, count: value.count, sum: value.sum ?? 0 },
      );
  }

  /** Names and units of all metrics with values. */
  async metrics(): Promise<{ readonly name: string; readonly unit: string }[]> {
    this.metricExporter.reset();
    await this.reader.forceFlush();
    return this.metricExporter
      .getMetrics()
      .flatMap(({ scopeMetrics }) => scopeMetrics)
      .flatMap((scope) => scope.metrics)
      .map(({ descriptor: { name, unit } }) => ({ name, unit }));
  }

  async end(): Promise<void> {
    await this.provider.shutdown();
    await this.reader.shutdown();
    for (const api of [trace, metrics, context, propagation]) api.disable();
  }
}

interface Value {
  readonly attributes: object;
  readonly value?: number;
  readonly count?: number;
  readonly sum?: number;
}
