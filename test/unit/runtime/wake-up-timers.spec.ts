import { beforeEach, describe, expect, it } from '@jest/globals';
import { WakeUpTimers } from '../../../lib/runtime/wake-up-timers.js';
import { ManualClock } from '../../../lib/testing/manual-clock.js';

describe('Wake-up timers', () => {
  let clock: ManualClock;
  let woken: string[];
  let timers: WakeUpTimers<'task' | 'deadline'>;
  beforeEach(() => {
    clock = new ManualClock();
    woken = [];
    timers = new WakeUpTimers(
      {
        task: (tenant) => woken.push(`task ${tenant}`),
        deadline: (tenant) => woken.push(`deadline ${tenant}`),
      },
      clock,
    );
  });

  it('wake a tenant once for a kind: for what is due first', async () => {
    timers.schedule({ kind: 'task', tenant: 'a', inMs: 500 });
    timers.schedule({ kind: 'task', tenant: 'a', inMs: 100 });
    timers.schedule({ kind: 'task', tenant: 'a', inMs: 300 });
    expect(clock.waiting).toBe(1);
    await clock.advance(101);
    expect(woken).toEqual(['task a']);
    await clock.advance(1_000);
    expect(woken).toEqual(['task a']);
  });

  it('keep kinds and tenants apart', async () => {
    timers.schedule({ kind: 'task', tenant: 'a', inMs: -5 });
    timers.schedule({ kind: 'deadline', tenant: 'a', inMs: 10 });
    timers.schedule({ kind: 'task', tenant: 'b', inMs: 20 });
    await clock.advance(21);
    expect(woken).toEqual(['task a', 'deadline a', 'task b']);
  });

  it('forget all kinds of a tenant that goes, and nothing of another one', async () => {
    for (const tenant of ['a', 'b']) {
      timers.schedule({ kind: 'task', tenant, inMs: 10 });
      timers.schedule({ kind: 'deadline', tenant, inMs: 10 });
    }
    timers.clear('a');
    await clock.advance(20);
    expect(woken).toEqual(['task b', 'deadline b']);
    timers.schedule({ kind: 'task', tenant: 'b', inMs: 10 });
    timers.close();
    await clock.advance(20);
    expect(clock.waiting).toBe(0);
    expect(woken).toHaveLength(2);
  });
});
