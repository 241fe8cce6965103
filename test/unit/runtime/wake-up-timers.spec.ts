import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { WakeUpTimers } from '../../../lib/runtime/wake-up-timers.js';

describe('Wake-up timers', () => {
  let woken: string[];
  let timers: WakeUpTimers<'task' | 'deadline'>;
  beforeEach(() => {
    jest.useFakeTimers();
    woken = [];
    timers = new WakeUpTimers({
      task: (tenant) => woken.push(`task ${tenant}`),
      deadline: (tenant) => woken.push(`deadline ${tenant}`),
    });
  });
  afterEach(() => void jest.useRealTimers());

  it('wake a tenant once for a kind: for what is due first', () => {
    timers.schedule({ kind: 'task', tenant: 'a', inMs: 500 });
    timers.schedule({ kind: 'task', tenant: 'a', inMs: 100 });
    timers.schedule({ kind: 'task', tenant: 'a', inMs: 300 });
    expect(jest.getTimerCount()).toBe(1);
    jest.advanceTimersByTime(101);
    expect(woken).toEqual(['task a']);
    jest.advanceTimersByTime(1_000);
    expect(woken).toEqual(['task a']);
  });

  it('keep kinds and tenants apart', () => {
    timers.schedule({ kind: 'task', tenant: 'a', inMs: -5 });
    timers.schedule({ kind: 'deadline', tenant: 'a', inMs: 10 });
    timers.schedule({ kind: 'task', tenant: 'b', inMs: 20 });
    jest.advanceTimersByTime(21);
    expect(woken).toEqual(['task a', 'deadline a', 'task b']);
  });

  it('forget all kinds of a tenant that goes, and nothing of another one', () => {
    for (const tenant of ['a', 'b']) {
      timers.schedule({ kind: 'task', tenant, inMs: 10 });
      timers.schedule({ kind: 'deadline', tenant, inMs: 10 });
    }
    timers.clear('a');
    jest.advanceTimersByTime(20);
    expect(woken).toEqual(['task b', 'deadline b']);
    timers.schedule({ kind: 'task', tenant: 'b', inMs: 10 });
    timers.close();
    jest.advanceTimersByTime(20);
    expect(jest.getTimerCount()).toBe(0);
    expect(woken).toHaveLength(2);
  });
});
