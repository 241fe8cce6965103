import { metrics, trace } from '@opentelemetry/api';
import { InvalidArgumentError } from '../errors/index.js';
import { checkCallOptions } from '../errors/call-options.js';
import { formatValue } from '../errors/option-checks.js';
import type { AttemptSpan, CloacinaTelemetry, TracedAttempt } from '../events/telemetry.js';
import { type Clock, systemClock } from '../runtime/clock.js';
import { Gauges } from './gauges.js';
import { MEASURED_EVENTS, Measurements } from './measurements.js';
import { SCOPE } from './names.js';
import { detach, hasMeterProvider, hasTracerProvider, suppress } from './scopes.js';
import { runWithin, Spans } from './spans.js';
import { TenantLabels } from './tenant-labels.js';

const DEFAULT_TENANTS = 100;

/** Options of {@link openTelemetry}. */
export interface OpenTelemetryOptions {
  /**
   * The trace of an execution. `caller`: its spans continue the trace of the code that starts it. `execution`: each
   * execution has a trace of its own, linked with the span of the caller. Use that for executions that run for days, or for
   * callers that start thousands of them. Default: `caller`.
   */
  trace?: 'caller' | 'execution';
  /**
   * How many tenants the label `cloacina.tenant` of metrics names; all others share the value `_other`. With 0 metrics have no
   * such label. Spans always have the tenant's name. Default: 100.
   */
  maxTenants?: number;
  /** Whether spans contain messages and stacks of errors, with secrets masked. Otherwise only their class. Default: true. */
  errorDetails?: boolean;
  /**
   * Whether each collection of metrics reads the number of due tasks and the age of the oldest: one statement for fifty
   * tenants. All processes report the same values, so one that does is enough. Default: true.
   */
  backlog?: boolean;
}

const OPTIONS: ReadonlySet<string> = new Set<keyof OpenTelemetryOptions>([
  'trace',
  'maxTenants',
  'errorDetails',
  'backlog',
]);

/**
 * Traces and measures workflows with OpenTelemetry: for the option `telemetry` of `CloacinaModule.forRoot()`. It uses the SDK
 * that the process has registered before Nest creates the application. Without an SDK it does nothing.
 *
 * @throws InvalidArgumentError for an invalid option
 *
 * @example
 * ```ts
 * CloacinaModule.forRoot({ telemetry: openTelemetry({ maxTenants: 20 }) })
 * ```
 */
export function openTelemetry(options: OpenTelemetryOptions = {}): CloacinaTelemetry {
  checkCallOptions('openTelemetry()', options, OPTIONS);
  check(options);
  return new Telemetry(options);
}

/** @internal The clock is for tests. */
export class Telemetry implements CloacinaTelemetry {
  readonly suppress = suppress;
  readonly detach = detach;
  readonly readsBacklog: boolean;
  readonly listener: CloacinaTelemetry['listener'] = {
    names: MEASURED_EVENTS,
    receive: (event) => this.measurements?.receive(event),
  };
  private readonly spans: Spans;
  private readonly labels: TenantLabels;
  private lazyMeasurements: Measurements | undefined;

  constructor(
    {
      trace: whose = 'caller',
      maxTenants = DEFAULT_TENANTS,
      errorDetails = true,
      backlog = true,
    }: OpenTelemetryOptions,
    private readonly clock: Pick<Clock, 'now' | 'wallTime'> = systemClock,
  ) {
    this.readsBacklog = backlog;
    this.labels = new TenantLabels(maxTenants);
    this.spans = new Spans(trace.getTracer(SCOPE), {
      continuesTrace: whose === 'caller',
      hasErrorDetails: errorDetails,
    });
  }

  get isTracing(): boolean {
    return hasTracerProvider();
  }

  get isMeasuring(): boolean {
    return this.measurements !== undefined;
  }

  start(start: Parameters<CloacinaTelemetry['start']>[0]): ReturnType<CloacinaTelemetry['start']> {
    return hasTracerProvider() ? this.spans.start(start) : undefined;
  }

  attempt(attempt: TracedAttempt): AttemptSpan | undefined {
    const { measurements, spans } = this;
    const span = hasTracerProvider() ? spans.attempt(attempt) : undefined;
    if (span === undefined && measurements === undefined) return undefined;
    measurements?.attemptBegan(attempt);
    const began = this.clock.now();
    return {
      run: (work) => (span === undefined ? work() : runWithin(span, work)),
      ended: (outcome, error) => {
        const ranMs = this.clock.now() - began;
        measurements?.attemptEnded(attempt, outcome, { ranMs, errorType: error?.name });
        if (span !== undefined) spans.endAttempt(span, outcome, error);
      },
    };
  }

  batch(kind: string, _tenant: string, size: number): void {
    this.measurements?.batch(kind, size);
  }

  recovered(tenant: string, cause: string, lostForMs: number): void {
    this.measurements?.recovered(tenant, cause, lostForMs);
  }

  fired(tenant: string, workflow: string, lateMs: number): void {
    this.measurements?.fired(tenant, workflow, lateMs);
  }

  observe(source: Parameters<CloacinaTelemetry['observe']>[0]): () => void {
    if (!this.isMeasuring) return () => undefined;
    return new Gauges(metrics.getMeter(SCOPE), this.labels, this.readsBacklog).observe(source);
  }

  /** Instruments that are made before an SDK is registered measure nothing forever, so they are made with the first use. */
  private get measurements(): Measurements | undefined {
    if (this.lazyMeasurements === undefined && hasMeterProvider()) {
      const meter = metrics.getMeter(SCOPE);
      this.lazyMeasurements = new Measurements(meter, this.labels, () => this.clock.wallTime());
    }
    return this.lazyMeasurements;
  }
}

function check({ trace: whose, maxTenants, errorDetails, backlog }: OpenTelemetryOptions): void {
  if (whose !== undefined && whose !== 'caller' && whose !== 'execution') {
    throw new InvalidArgumentError(
      'trace',
      `must be 'caller' or 'execution', not ${formatValue(whose)}`,
    );
  }
  if (maxTenants !== undefined && (!Number.isSafeInteger(maxTenants) || maxTenants < 0)) {
    throw new InvalidArgumentError(
      'maxTenants',
      `must be a whole number of at least 0, not ${formatValue(maxTenants)}`,
    );
  }
  for (const [name, value] of Object.entries({ errorDetails, backlog })) {
    if (value === undefined || typeof value === 'boolean') continue;
    throw new InvalidArgumentError(name, `must be true or false, not ${formatValue(value)}`);
  }
}
