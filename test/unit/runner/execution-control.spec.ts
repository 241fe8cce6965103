import { beforeEach, describe, expect, it } from '@jest/globals';
import { InvalidTransitionError } from '../../../lib/errors/index.js';
import { ExecutionControl, type ControlParts } from '../../../lib/runner/execution-control.js';
import { AvailabilityRetry } from '../../../lib/runtime/availability-retry.js';
import { ManualClock } from '../../../lib/testing/manual-clock.js';
import {
  classifyFailure,
  MemoryFailure,
} from '../../../lib/testing/memory-store/memory-failure.js';

const ID = '01890a5d-ac96-774b-bcce-b302099a8057';

let clock: ManualClock;
let told: string[];
/** What the execution is by the time that the control asks. */
let status: string;
/** What the database answers to a pause, in order; by default, that it changed nothing. */
let failures: Error[];
let control: ExecutionControl;
beforeEach(() => {
  clock = new ManualClock();
  [told, status, failures] = [[], 'Paused', []];
  const pause = async () => {
    const failure = failures.shift();
    if (failure !== undefined) throw failure;
    return { changed: false };
  };
  const engine = {
    control: { pause, cancel: pause, told: (action: string) => told.push(action) },
    store: { executions: async () => [{ id: ID, status, workflow: 'w' }] },
  } as unknown as ControlParts['engine'];
  control = new ExecutionControl({
    tenant: 't',
    engine,
    whileServed: (work) => work(),
    whileUnavailable: new AvailabilityRetry('t', { classifyFailure }, 10_000, clock),
  });
});

describe('A pause that changed nothing', () => {
  it('sends no event if the execution was paused before', async () => {
    await control.pause(ID);
    expect(told).toEqual([]);
  });

  it('is told where an earlier send of it may have paused the execution', async () => {
    failures = [new MemoryFailure('connection', 'lost', { mayBeWritten: true })];
    const paused = control.pause(ID);
    await clock.advance(0);
    await clock.advance(5_000);
    await paused;
    expect(told).toEqual(['pause']);
  });

  it('is refused where the execution is not paused', async () => {
    status = 'Completed';
    await expect(control.pause(ID)).rejects.toBeInstanceOf(InvalidTransitionError);
    expect(told).toEqual([]);
  });
});

it('A pause of a tree reaches all of its executions, however many there are', async () => {
  const running = new Set(Array.from({ length: 10_500 }, (_, n) => `child ${n}`));
  const engine = {
    control: {
      pause: async (id: string) => {
        running.delete(id);
        return { changed: true };
      },
    },
    store: {
      children: {
        // Executions that are Paused stay in the tree.
        tree: async (_: string, limit: number, statuses?: readonly string[]) =>
          Array.from({ length: 10_500 }, (__, n) => `child ${n}`)
            .map((id) => ({ id, status: running.has(id) ? 'Running' : 'Paused' }))
            .filter((row) => statuses?.includes(row.status) !== false)
            .slice(0, limit),
      },
    },
  } as unknown as ControlParts['engine'];
  const whileUnavailable = new AvailabilityRetry('t', { classifyFailure }, 10_000, clock);
  const parts = { tenant: 't', engine, whileServed: <T>(work: () => Promise<T>) => work() };
  await new ExecutionControl({ ...parts, whileUnavailable }).pause(ID, {
    reason: 'lunch',
    tree: true,
  });
  expect(running.size).toBe(0);
});

it('A cancel of an execution that is Finishing is refused with what to do', async () => {
  status = 'Finishing';
  await expect(control.cancel(ID)).rejects.toThrow(/it is Finishing.*ends by itself/s);
});
