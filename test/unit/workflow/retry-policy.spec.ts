import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  DEFAULT_RETRY_POLICY,
  isBackoff,
  retryDelayMs,
  type RetryPolicy,
} from '../../../lib/workflow/retry-policy.js';

const exact = (backoff: RetryPolicy['backoff']): RetryPolicy => ({
  maxAttempts: 10,
  backoff,
  delayMs: 100,
  maxDelayMs: 1_000,
  jitter: false,
});

const anyPolicy: fc.Arbitrary<RetryPolicy> = fc.record({
  maxAttempts: fc.integer({ min: 1, max: 2 ** 31 - 1 }),
  backoff: fc.constantFrom('fixed', 'linear', 'exponential'),
  delayMs: fc.oneof(fc.nat(100_000), fc.constantFrom(0, 315_576_000_000)),
  maxDelayMs: fc.oneof(fc.nat(100_000), fc.constantFrom(0, 315_576_000_000)),
  jitter: fc.boolean(),
});
const anyAttempt = fc.oneof(fc.integer({ min: 1, max: 100 }), fc.constantFrom(1_100, 2 ** 31 - 1));
const anyRandom = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

describe('retryDelayMs', () => {
  it.each([
    ['fixed', [100, 100, 100, 100, 100]],
    ['linear', [100, 200, 300, 400, 500]],
    ['exponential', [100, 200, 400, 800, 1_000]],
  ] as const)('grows %s', (backoff, delays) => {
    const attempts = [1, 2, 3, 4, 5];
    expect(attempts.map((attempt) => retryDelayMs(exact(backoff), attempt, 0.9))).toEqual(delays);
  });

  it('waits between half and all of the delay with jitter', () => {
    const policy: RetryPolicy = { ...exact('fixed'), jitter: true };
    expect(retryDelayMs(policy, 1, 0)).toBe(50);
    expect(retryDelayMs(policy, 1, 0.5)).toBe(75);
    expect(retryDelayMs(policy, 1, 0.999)).toBe(99);
  });

  it('does not overflow', () => {
    for (const backoff of ['linear', 'exponential'] as const) {
      expect(retryDelayMs(exact(backoff), Number.MAX_SAFE_INTEGER, 0.5)).toBe(1_000);
      expect(retryDelayMs({ ...exact(backoff), delayMs: 0 }, 5_000, 0.5)).toBe(0);
    }
  });

  it('takes an attempt before the first for the first', () => {
    expect(retryDelayMs(exact('linear'), 0, 0)).toBe(100);
    expect(retryDelayMs(exact('exponential'), -3, 0)).toBe(100);
  });

  it('is a whole number within the maximum, whatever the policy', () => {
    fc.assert(
      fc.property(anyPolicy, anyAttempt, anyRandom, (policy, attempt, random) => {
        const delay = retryDelayMs(policy, attempt, random);
        expect(Number.isSafeInteger(delay)).toBe(true);
        expect(delay).toBeGreaterThanOrEqual(0);
        expect(delay).toBeLessThanOrEqual(policy.maxDelayMs);
      }),
    );
  });

  it('grows with the attempts, and jitter takes away half at most', () => {
    fc.assert(
      fc.property(anyPolicy, anyAttempt, anyRandom, (policy, attempt, random) => {
        const whole = retryDelayMs({ ...policy, jitter: false }, attempt, random);
        const next = retryDelayMs({ ...policy, jitter: false }, attempt + 1, random);
        expect(next).toBeGreaterThanOrEqual(whole);
        const jittered = retryDelayMs({ ...policy, jitter: true }, attempt, random);
        expect(jittered).toBeLessThanOrEqual(whole);
        expect(jittered).toBeGreaterThanOrEqual(Math.floor(whole / 2));
      }),
    );
  });

  it('has the documented default', () => {
    expect(DEFAULT_RETRY_POLICY).toEqual({
      maxAttempts: 3,
      backoff: 'exponential',
      delayMs: 1_000,
      maxDelayMs: 30_000,
      jitter: true,
    });
  });
});

describe('isBackoff', () => {
  it('knows the three names', () => {
    expect(['fixed', 'linear', 'exponential'].every(isBackoff)).toBe(true);
    expect(['', 'Fixed', 'none', undefined, null, 1].some(isBackoff)).toBe(false);
  });
});
