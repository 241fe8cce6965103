import { beforeEach, describe, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { ClaimFailures } from '../../../lib/engine/claims/claim-failures.js';
import { ManualClock } from '../../../lib/testing/manual-clock.js';
import {
  classifyFailure,
  MemoryFailure,
} from '../../../lib/testing/memory-store/memory-failure.js';

let clock: ManualClock;
let logged: string[];
let failures: ClaimFailures;
beforeEach(() => {
  clock = new ManualClock();
  logged = [];
  Logger.overrideLogger({
    log: () => undefined,
    warn: () => undefined,
    error: (message: string) => void logged.push(message),
  });
  failures = new ClaimFailures({ clock, tenant: 't', store: { classifyFailure } }, 'tasks');
});

const refused = new MemoryFailure('refused', 'permission denied');

describe('ClaimFailures', () => {
  it('doubles the pause up to half a minute while the same claim can not succeed', () => {
    const pauses = Array.from({ length: 9 }, () => failures.failed(refused));
    expect(pauses).toEqual([250, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
  });

  it('pauses for a second at most after failures that pass by themselves', () => {
    const conflict = new MemoryFailure('conflict');
    const pauses = Array.from({ length: 4 }, () => failures.failed(conflict));
    expect(pauses).toEqual([250, 500, 1_000, 1_000]);
  });

  it('tries again soon while the database is away', () => {
    expect(failures.failed(new MemoryFailure('connection'))).toBeLessThan(50);
  });

  it('begins anew after a success', () => {
    failures.failed(refused);
    failures.failed(refused);
    expect(failures.isFirst).toBe(false);
    failures.succeeded();
    expect(failures.failed(refused)).toBe(250);
    expect(failures.isFirst).toBe(true);
  });

  it('logs the first of the failures that do not pass by themselves', () => {
    failures.failed(refused);
    failures.failed(refused);
    expect(logged).toEqual([
      'Tenant "t": claiming tasks failed and will be retried: permission denied',
    ]);
    failures.succeeded();
    failures.failed(new MemoryFailure('conflict'));
    expect(logged).toHaveLength(1);
  });

  it.each(['conflict', 'passing', 'connection'] as const)(
    'logs failures of the kind %s when they last, and then once a minute',
    async (kind) => {
      for (let seconds = 0; seconds <= 125; seconds++) {
        failures.failed(new MemoryFailure(kind, 'for now'));
        await clock.advance(1_000);
      }
      expect(logged).toEqual(
        [5, 65, 125].map(
          (seconds) =>
            `Tenant "t": claiming tasks has failed for ${seconds} s and will be retried: for now`,
        ),
      );
    },
  );

  it('lets claims pass over locked executions for half a minute after a lock timeout', async () => {
    failures.failed(new MemoryFailure('conflict'));
    expect(failures.passLocks).toBe(false);
    failures.failed(new MemoryFailure('conflict', 'lock timeout', { isLockTimeout: true }));
    failures.succeeded();
    await clock.advance(29_999);
    expect(failures.passLocks).toBe(true);
    await clock.advance(1);
    expect(failures.passLocks).toBe(false);
  });
});
