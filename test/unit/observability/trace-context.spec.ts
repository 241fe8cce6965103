import { describe, expect, it } from '@jest/globals';
import { createTraceState } from '@opentelemetry/api';
import { decodeSpanContext, encodeSpanContext } from '../../../lib/observability/trace-context.js';

const span = {
  traceId: '0af7651916cd43dd8448eb211c80319c',
  spanId: 'b7ad6b7169203331',
  traceFlags: 1,
};
const PARENT = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';

describe('A stored span', () => {
  it('is a traceparent, with the tracestate if there is one', () => {
    expect(encodeSpanContext(span)).toBe(PARENT);
    const traceState = createTraceState('vendor=a,other=b');
    expect(encodeSpanContext({ ...span, traceState })).toBe(`${PARENT} vendor=a,other=b`);
  });

  it('is read again as it was', () => {
    expect(decodeSpanContext(PARENT)).toEqual({ ...span, isRemote: true });
    const found = decodeSpanContext(`${PARENT} vendor=a`);
    expect(found?.traceState?.get('vendor')).toBe('a');
  });

  it('loses a tracestate that is too long', () => {
    const traceState = createTraceState(`vendor=${'a'.repeat(256)},other=${'b'.repeat(256)}`);
    expect(encodeSpanContext({ ...span, traceState })).toBe(PARENT);
  });

  it.each([
    '',
    'anything',
    PARENT.replace('00-', '01-'),
    PARENT.replace('0af7651916cd43dd8448eb211c80319c', '0'.repeat(32)),
    PARENT.slice(0, -1),
  ])('is not made of %j', (stored) => {
    expect(decodeSpanContext(stored)).toBeUndefined();
  });
});
