import {
  context,
  createContextKey,
  createNoopMeter,
  metrics,
  ProxyTracerProvider,
  ROOT_CONTEXT,
  trace,
} from '@opentelemetry/api';
import { SCOPE } from './names.js';

/**
 * The key by which SDKs know that spans are not to be recorded. It is made by `@opentelemetry/core`, a part of the SDK; keys
 * with one description are equal.
 */
const SUPPRESSED = createContextKey('OpenTelemetry SDK Context Key SUPPRESS_TRACING');

/** What a tracer provider returns before an SDK is registered. */
const NO_PROVIDER = new ProxyTracerProvider().getDelegate();

/** Whether an SDK is registered for spans. */
export function hasTracerProvider(): boolean {
  const provider = trace.getTracerProvider();
  return !(provider instanceof ProxyTracerProvider) || provider.getDelegate() !== NO_PROVIDER;
}

/** Whether an SDK is registered for metrics. */
export function hasMeterProvider(): boolean {
  return metrics.getMeterProvider().getMeter(SCOPE) !== createNoopMeter();
}

/** Runs `work`, and records no spans of it. */
export function suppress<T>(work: () => T): T {
  return context.with(context.active().setValue(SUPPRESSED, true), work);
}

/** Runs `work` outside of any trace. */
export function detach<T>(work: () => T): T {
  return context.with(ROOT_CONTEXT, work);
}
