import { beforeEach, describe, expect, it } from '@jest/globals';
import type { DefinitionCatalog } from '../../../lib/engine/definitions/definition-catalog.js';
import { SlotScheduler } from '../../../lib/engine/slots/slot-scheduler.js';
import type { TenantQueue } from '../../../lib/engine/slots/tenant-queue.js';
import { WakeUps } from '../../../lib/engine/wake-ups.js';
import type { TaskKey } from '../../../lib/store/port/index.js';
import { ManualClock } from '../../../lib/testing/manual-clock.js';

let called: string[];
let queue: TenantQueue;
let wakeUps: WakeUps;
let overrunning: TaskKey[];
let found: Awaited<ReturnType<DefinitionCatalog['lookForOthers']>>;
beforeEach(() => scenario(1));

function scenario(limit: number): void {
  [called, overrunning, found] = [[], [], 'nothing'];
  queue = new SlotScheduler(10, new ManualClock()).createQueue(limit, () => undefined);
  queue.open = true;
  wakeUps = new WakeUps({
    address: 't',
    queue,
    catalog: { lookForOthers: async () => found },
    stranded: { look: async () => void called.push('lookForStranded') },
    claimer: { claimAvailable: () => called.push('claim') },
    overruns: { tasks: () => overrunning },
    services: {
      notifyWork: () => called.push('notify'),
      askForWatch: () => void called.push('askForWatch'),
      schedule: ({ kind, inMs }) => called.push(`${kind} in ${inMs}`),
    },
  });
}

/** What follows a look for definitions has been done. */
const settled = () => new Promise(setImmediate);

describe('WakeUps', () => {
  it('claims what is due itself where it has room', () => {
    wakeUps.workIsDue();
    expect(called).toEqual(['claim']);
  });

  it('calls other processes for what it has no room for', () => {
    queue.occupy(1);
    wakeUps.workIsDue();
    expect([called, queue.hasBacklog]).toEqual([['claim', 'notify'], true]);
  });

  it('calls other processes for a task that still overruns here', () => {
    overrunning = [{ executionId: 'x', taskNo: 0, itemNo: 0 }];
    wakeUps.workIsDue();
    expect(called).toEqual(['claim', 'notify']);
  });

  it('wakes workers for what is due now, and sets a timer for the rest', () => {
    wakeUps.dueIn(0);
    wakeUps.dueIn(10);
    expect(called).toEqual(['claim', 'notify', 'task in 10', 'askForWatch']);
  });

  it('looks for a reason why a task is still due', async () => {
    wakeUps.schedule([
      { kind: 'task', inMs: 0 },
      { kind: 'task', inMs: 5 },
      { kind: 'deadline', inMs: 0 },
    ]);
    expect(called).toEqual(['claim', 'lookForStranded', 'task in 5', 'deadline in 0']);
    await settled();
    expect(called).toHaveLength(4);
  });

  it('misses no handler where it takes no tasks', () => {
    scenario(0);
    wakeUps.schedule([{ kind: 'task', inMs: 0 }]);
    expect(called).toEqual(['claim']);
  });

  it('claims again once it has found a definition', async () => {
    found = 'found';
    await wakeUps.lookForOthers();
    expect(called).toEqual(['claim']);
  });

  it('looks for definitions again after a look that came too early', async () => {
    found = 'tooEarly';
    await wakeUps.lookForOthers();
    expect(called).toEqual([expect.stringMatching(/^task in \d+$/)]);
  });
});
