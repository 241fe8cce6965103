import { beforeEach, describe, expect, it } from '@jest/globals';
import { ProcessTimers } from '../../../lib/engine/process/process-timers.js';
import type { TenantEngine } from '../../../lib/engine/tenant-engine.js';
import type { DueWork } from '../../../lib/engine/wake-ups.js';
import type { DueTime, EngineSession } from '../../../lib/store/port/index.js';
import { ManualClock } from '../../../lib/testing/manual-clock.js';

let clock: ManualClock;
let called: string[];
let timers: ProcessTimers;
/** What the database says is due. */
let due: readonly DueTime[];
/** Undefined while the control connection is away. */
let session: Pick<EngineSession, 'dueTimes'> | undefined;
let enforce: () => Promise<boolean>;
let fire: () => Promise<void>;
beforeEach(() => {
  clock = new ManualClock();
  [called, due] = [[], []];
  session = { dueTimes: async () => [due] };
  enforce = async () => true;
  fire = async () => undefined;
  const tenant = {
    store: {},
    enforceDeadlines: () => {
      called.push(`enforce at ${clock.now()}`);
      return enforce();
    },
    schedules: {
      fireDue: () => {
        called.push(`fire at ${clock.now()}`);
        return fire();
      },
    },
    wakeUps: {
      isDue: (kind: DueWork) => called.push(`${kind} is due`),
      schedule: (times: readonly DueTime[]) => {
        for (const { kind, inMs } of times) called.push(`${kind} in ${inMs}`);
      },
    },
  } as unknown as TenantEngine;
  timers = new ProcessTimers({
    clock,
    tenant: (address) => (address === 't' ? tenant : undefined),
    session: () => session,
  });
});

describe('ProcessTimers', () => {
  it('wakes a tenant whose task is due, and looks for what comes after', async () => {
    due = [
      { kind: 'task', inMs: 500 },
      { kind: 'deadline', inMs: -1 },
    ];
    timers.schedule({ kind: 'task', tenant: 't', inMs: 10 });
    await clock.advance(100);
    expect(called).toEqual(['task is due', 'task in 500', 'deadline in -1']);
  });

  it('takes again what became due since, whatever has been due for long', async () => {
    // The claim comes before an item is due, and the question after.
    due = [
      { kind: 'task', inMs: -900_000 },
      { kind: 'task', inMs: -30 },
      { kind: 'task', inMs: 500 },
      // It has a timer of its own.
      { kind: 'limited', inMs: -30 },
    ];
    for (const kind of ['task', 'limited', 'admission'] as const) {
      const times = due.map((time) => (time.kind === 'task' ? { ...time, kind } : time));
      session = { dueTimes: () => clock.sleep(60).then(() => [times]) };
      called = [];
      timers.schedule({ kind, tenant: 't', inMs: 9 });
      await clock.advance(100);
      expect(called).toEqual([`${kind} is due`, `${kind} is due`, `${kind} in 500`]);
    }
    expect(clock.waiting).toBe(0);
  });

  it('takes nothing again that was due before', async () => {
    due = [
      { kind: 'task', inMs: -900_000 },
      { kind: 'task', inMs: -2 },
      { kind: 'limited', inMs: -2 },
    ];
    timers.schedule({ kind: 'task', tenant: 't', inMs: 9 });
    timers.schedule({ kind: 'schedule', tenant: 't', inMs: 20 });
    await clock.advance(100);
    expect(called).toEqual(['task is due', 'fire at 21']);
  });

  it('fires a schedule that became due during the firing of others, and then looks ahead', async () => {
    fire = async () => {
      await clock.sleep(40);
      due = due.length === 0 ? [{ kind: 'schedule', inMs: -3 }] : [{ kind: 'schedule', inMs: 700 }];
    };
    timers.schedule({ kind: 'schedule', tenant: 't', inMs: 9 });
    await clock.advance(200);
    expect(called).toEqual(['fire at 10', 'fire at 51', 'schedule in 700']);
  });

  it('looks ahead after it has ended what was overdue', async () => {
    due = [{ kind: 'deadline', inMs: 70 }];
    timers.schedule({ kind: 'deadline', tenant: 't', inMs: 0 });
    await clock.advance(10_000);
    expect(called).toEqual(['enforce at 1', 'deadline in 70']);
  });

  it('tries again after a pause where some are left, and a longer one where it failed', async () => {
    const results = [
      () => Promise.resolve(false),
      () => Promise.reject(new Error('away')),
      () => Promise.resolve(true),
    ];
    enforce = () => results.shift()!();
    timers.schedule({ kind: 'deadline', tenant: 't', inMs: 0 });
    await clock.advance(10_000);
    expect(called).toEqual(['enforce at 1', 'enforce at 252', 'enforce at 1253']);
  });

  it('leaves it to the next round where the control connection is away', async () => {
    session = undefined;
    timers.schedule({ kind: 'task', tenant: 't', inMs: 0 });
    timers.schedule({ kind: 'task', tenant: 'gone', inMs: 0 });
    await clock.advance(100);
    expect([called, clock.waiting]).toEqual([['task is due'], 0]);
  });
});
