import { createTraceState, isSpanContextValid, type SpanContext } from '@opentelemetry/api';

const VERSION = '00';
/** Max length of a tracestate that is stored, in characters: what the standard asks everybody to pass on. */
const MAX_STATE = 512;
const TRACEPARENT = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/;

/**
 * The form in which the span of a start is stored: `traceparent` of W3C Trace Context and, behind a space, `tracestate`. It
 * does not depend on the propagator of the application, which may be another one in each process. Baggage is left out,
 * because applications put data of users into it.
 */
export function encodeSpanContext({
  traceId,
  spanId,
  traceFlags,
  traceState,
}: SpanContext): string {
  const flags = (traceFlags & 0xff).toString(16).padStart(2, '0');
  const parent = `${VERSION}-${traceId}-${spanId}-${flags}`;
  const state = traceState?.serialize() ?? '';
  return state === '' || state.length > MAX_STATE ? parent : `${parent} ${state}`;
}

/** The stored span. Undefined for text of another version, or without a valid span. */
export function decodeSpanContext(stored: string): SpanContext | undefined {
  const end = stored.indexOf(' ');
  const parent = end === -1 ? stored : stored.slice(0, end);
  const [, traceId = '', spanId = '', flags = ''] = TRACEPARENT.exec(parent) ?? [];
  const found: SpanContext = {
    traceId,
    spanId,
    traceFlags: Number.parseInt(flags, 16),
    isRemote: true,
    ...(end === -1 ? {} : { traceState: createTraceState(stored.slice(end + 1)) }),
  };
  return isSpanContextValid(found) ? found : undefined;
}
