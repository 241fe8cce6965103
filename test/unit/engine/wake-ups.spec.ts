import { beforeEach, describe, expect, it } from '@jest/globals';
import type { DefinitionCatalog } from '../../../lib/engine/definitions/definition-catalog.js';
import { SlotScheduler } from '../../../lib/engine/slots/slot-scheduler.js';
import type { TenantQueue } from '../../../lib/engine/slots/tenant-queue.js';
import { WakeUps } from '../../../lib/engine/wake-ups.js';
import type { TaskKey } from '../../../lib/store/port/index.js';
import { ManualClock } from '../../../lib/testing/manual-clock.js';

let called: string[];
let clock: ManualClock;
let queue: TenantQueue;
let wakeUps: WakeUps;
let overrunning: TaskKey[];
let found: Awaited<ReturnType<DefinitionCatalog['lookForOthers']>>;
beforeEach(() => scenario(1));

function scenario(limit: number): void {
  [called, overrunning, found] = [[], [], 'nothing'];
  clock = new ManualClock();
  queue = new SlotScheduler(10, clock).createQueue(limit, () => undefined);
  queue.open = true;
  wakeUps = new WakeUps({
    clock,
    address: 't',
    queue,
    catalog: { lookForOthers: async () => found },
    stranded: { look: async () => void called.push('lookForStranded') },
    claimer: { claimAvailable: () => called.push('claim') },
    limited: { look: () => undefined },
    admitter: { admits: false, look: () => undefined },
    overruns: { tasks: () => overrunning },
    services: {
      notifyWork: (_, { tasks, perProcess }) =>
        called.push(tasks === Infinity ? 'notify' : `notify ${tasks} by ${perProcess}`),
      askForWatch: () => void called.push('askForWatch'),
      schedule: ({ kind, inMs }) => called.push(`${kind} in ${inMs}`),
    },
  });
}

/** What follows a look for definitions has been done. */
const settled = () => new Promise(setImmediate);

describe('WakeUps', () => {
  it('claims what is due itself where it has room', () => {
    wakeUps.isDue('task');
    expect(called).toEqual(['claim']);
  });

  it('calls other processes for what it has no room for', () => {
    queue.occupy(1);
    wakeUps.isDue('task');
    expect([called, queue.hasBacklog]).toEqual([['claim', 'notify'], true]);
  });

  it('calls other processes for a task that still overruns here', () => {
    overrunning = [{ executionId: 'x', taskNo: 0, itemNo: 0 }];
    wakeUps.isDue('task');
    expect(called).toEqual(['claim', 'notify']);
  });

  it('wakes workers for what is due now, and sets a timer for the rest', () => {
    wakeUps.dueIn(0);
    wakeUps.dueIn(10);
    expect(called).toEqual(['claim', 'notify 1 by undefined', 'task in 10', 'askForWatch']);
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

  describe('with tasks left that this process can run', () => {
    it('calls for no help where the next claim takes them', async () => {
      wakeUps.leftHere(5);
      queue.hasBacklog = false;
      await clock.advance(10_000);
      expect([called, clock.waiting]).toEqual([['claim'], 0]);
    });

    it('leaves the call to the claim where there is room for one', async () => {
      wakeUps.leftHere(5);
      await clock.advance(10_000);
      expect(called).toEqual(['claim']);
    });

    it('calls for help once it is behind for a moment, for all of them together', async () => {
      queue.occupy(1);
      for (let n = 0; n < 30; n++) wakeUps.leftHere(1);
      await clock.advance(4);
      expect(called.filter((call) => call !== 'claim')).toEqual([]);
      await clock.advance(1);
      expect(called.at(-1)).toBe('notify 30 by undefined');
    });

    it('calls at once where long handlers have all slots', async () => {
      await running(1);
      await clock.advance(20);
      wakeUps.leftHere(3);
      expect(called).toEqual(['claim', 'notify 3 by undefined']);
    });

    it('calls again at growing intervals while the backlog lasts, and soon for the next one', async () => {
      queue.occupy(1);
      const calls: number[] = [];
      for (let ms = 0; ms < 4_000; ms++) {
        const before = called.length;
        wakeUps.leftMore();
        await clock.advance(1);
        if (called.slice(before).some((call) => call.startsWith('notify'))) calls.push(ms + 1);
      }
      expect(calls).toEqual([5, 55, 155, 355, 755, 1_555, 3_155]);
      queue.hasBacklog = false;
      called.length = 0;
      wakeUps.leftMore();
      await clock.advance(5);
      expect(called).toEqual(['claim', 'notify 2 by undefined']);
    });

    it('counts by what a process takes at a time where handlers are short', async () => {
      queue.observe(1);
      queue.occupy(21);
      wakeUps.leftHere(100);
      await clock.advance(5);
      expect(called).toEqual(['claim', 'notify 100 by 21']);
    });

    it('wakes all where it does not claim any more', () => {
      queue.open = false;
      wakeUps.leftHere(1);
      expect(called).toEqual(['claim', 'notify']);
    });

    it('sets no timer after its end', async () => {
      queue.occupy(1);
      wakeUps.leftHere(1);
      wakeUps.close();
      await clock.advance(100);
      expect(called).toEqual(['claim']);
    });
  });

  it('wakes all where it fails to claim', () => {
    wakeUps.cannotClaim();
    expect(called).toEqual(['notify']);
  });
});

/** Tasks whose handlers run until the end of the test. */
async function running(count: number): Promise<void> {
  for (let n = 0; n < count; n++) {
    queue.add({ priority: 0, suspect: false, run: () => undefined, giveBack: () => undefined });
  }
  await clock.advance(0);
}
