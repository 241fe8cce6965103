import { describe, expect, it } from '@jest/globals';
import { decideFailure } from '../../../lib/engine/execution/failure-decision.js';
import {
  DeferralTimeoutError,
  NonRetryableError,
  RetryAfterError,
} from '../../../lib/errors/index.js';
import { compiled } from '../workflow/some-workflows.js';

const retry = { maxAttempts: 3, delay: 1_000, jitter: false } as const;
const [task] = compiled({ name: 'w', tasks: [{ name: 'a', retry }] }).tasks;

function decide(thrown: unknown, attempt: number, retryIf?: (error: unknown) => boolean) {
  return decideFailure(thrown, task!, attempt, retryIf, 0);
}

describe('decideFailure', () => {
  it('allows attempts up to the maximum', () => {
    expect(decide(new Error('no'), 2)).not.toBe('fail');
    expect(decide(new Error('no'), 3)).toBe('fail');
  });

  it('takes the delay that a RetryAfterError asks for', () => {
    expect(decide(new RetryAfterError('7s'), 1)).toEqual({ retryInMs: 7_000 });
    expect(decide(new Error('no'), 1)).toEqual({ retryInMs: 1_000 });
  });

  it('makes no other attempt after an error that is final, whatever retryIf says', () => {
    expect(decide(new NonRetryableError('no'), 1, () => true)).toBe('fail');
  });

  it('waits for a deferral anew only where retryIf asks for it', () => {
    const timeout = new DeferralTimeoutError('a', 1_000);
    expect(decide(timeout, 1)).toBe('fail');
    expect(decide(timeout, 1, () => false)).toBe('fail');
    expect(decide(timeout, 1, () => true)).toEqual({ retryInMs: 1_000 });
  });

  it('takes a retryIf that throws for a refusal', () => {
    const broken = (): boolean => {
      throw new Error('broken');
    };
    expect(decide(new Error('no'), 1, broken)).toBe('fail');
  });
});
