import { beforeEach, describe, expect, it } from '@jest/globals';
import { planFire, fireManually } from '../../../lib/engine/schedules/plan-fire.js';
import type { FiringFacts } from '../../../lib/engine/schedules/firing-request.js';
import { InvalidArgumentError, UnknownWorkflowError } from '../../../lib/errors/index.js';
import type { DueSchedule, StartItem } from '../../../lib/store/port/index.js';
import { encodeSpec, type ScheduleSpec } from '../../../lib/workflow/schedule/index.js';

const HOUR = 3_600_000;
const START = Date.parse('2030-01-01T00:00:00Z');

let made: FiringFacts[];
beforeEach(() => {
  made = [];
});

const makeStart = async (_: unknown, facts: FiringFacts): Promise<StartItem> => {
  made.push(facts);
  return { id: `execution ${made.length}` } as StartItem;
};

/** A schedule of every hour, whose first firing is due. */
function due(spec: ScheduleSpec = {}, change: Partial<DueSchedule> = {}): DueSchedule {
  return {
    name: 's',
    workflow: 'w',
    spec: encodeSpec({ every: '1h', ...spec }),
    input: null,
    origin: 'api',
    state: 'active',
    reason: null,
    nextFor: START + HOUR,
    nextAt: START + HOUR,
    lastError: null,
    version: 7,
    lastFiredFor: null,
    lastExecutionId: null,
    createdAt: START,
    updatedAt: START,
    lastStatus: null,
    hasFailed: false,
    now: START + HOUR,
    ...change,
  };
}

describe('planFire', () => {
  it('starts the execution that is due, and plans the next', async () => {
    const fire = await planFire(due(), makeStart);
    expect(fire).toMatchObject({
      version: 7,
      state: 'active',
      nextFor: START + 2 * HOUR,
      lastFiredFor: START + HOUR,
      lastExecutionId: 'execution 1',
      firings: [{ scheduledFor: START + HOUR, outcome: 'started', count: 1 }],
    });
  });

  it('skips a firing while the last execution is open, and fires once it has ended', async () => {
    const skip = { overlap: 'skip' } as const;
    const busy = await planFire(due(skip, { lastStatus: 'Paused' }), makeStart);
    expect(busy.firings).toMatchObject([{ outcome: 'skipped', start: null }]);
    expect([busy.lastFiredFor, made]).toEqual([null, []]);
    const free = await planFire(due(skip, { lastStatus: 'Failed' }), makeStart);
    expect(free.firings).toMatchObject([{ outcome: 'started' }]);
  });

  it('records what it does not catch up as one range of missed firings', async () => {
    const late = due({ catchUp: 'once' }, { now: START + 4 * HOUR });
    const fire = await planFire(late, makeStart);
    expect(fire.firings).toMatchObject([
      { scheduledFor: START + HOUR, until: START + 3 * HOUR, outcome: 'missed', count: 3 },
      { scheduledFor: START + 4 * HOUR },
    ]);
    expect(made).toHaveLength(1);
  });

  it('records the firings of a pause as paused', async () => {
    const late = due({ catchUp: { all: 9 }, overlap: 'allow' }, { now: START + 2.5 * HOUR });
    const fire = await planFire(late, makeStart, { catchUp: 'skip', passedAs: 'paused' });
    expect(fire.firings.map(({ outcome }) => outcome)).toEqual(['paused']);
    expect(fire.nextFor).toBe(START + 3 * HOUR);
  });

  it('tells each execution of the firing before it', async () => {
    await planFire(
      due({ catchUp: { all: 9 }, overlap: 'allow' }, { now: START + 2.5 * HOUR }),
      makeStart,
    );
    expect(made.map(({ at, previousAt }) => [at, previousAt])).toEqual([
      [START + HOUR, null],
      [START + 2 * HOUR, START + HOUR],
    ]);
  });

  it('ends after the last instant', async () => {
    const last = due({ endAt: new Date(START + HOUR) });
    expect(await planFire(last, makeStart)).toMatchObject({ state: 'ended', nextFor: null });
    const over = await planFire(due({}, { nextFor: null }), makeStart);
    expect(over).toMatchObject({ state: 'ended', firings: [] });
  });

  it('pauses after as many failures as the spec says', async () => {
    const failed = due({ pauseAfterFailures: 3 }, { hasFailed: true });
    expect(await planFire(failed, makeStart)).toMatchObject({
      state: 'paused',
      reason: '3 executions have failed one after the other.',
      nextFor: START + HOUR,
      firings: [],
    });
  });

  it('breaks a schedule whose workflow or input can not be started, and keeps its firing', async () => {
    const error = new UnknownWorkflowError('w', []);
    const unknown = await planFire(due(), () => Promise.reject(error));
    expect(unknown).toMatchObject({
      state: 'broken',
      reason: error.message,
      nextFor: START + HOUR,
      lastError: { kind: 'unknownWorkflow', at: START + HOUR },
      firings: [],
    });
    const overlap = new InvalidArgumentError('overlap', 'no');
    const invalid = await planFire(due(), () => Promise.reject(overlap));
    expect(invalid.lastError).toMatchObject({ kind: 'invalidSpec' });
  });

  it('breaks a schedule whose spec this release can not read', async () => {
    const fire = await planFire(due({}, { spec: '{"cron":"61 * * * *"}' }), makeStart);
    expect(fire).toMatchObject({ state: 'broken', lastError: { kind: 'invalidSpec' } });
    expect(fire.reason).toMatch(/^cron /);
  });

  it('passes a failure of the database on, which says nothing about the schedule', async () => {
    const away = new Error('away');
    await expect(planFire(due(), () => Promise.reject(away))).rejects.toBe(away);
  });

  it('forgets the last error only when an execution was started', async () => {
    const lastError = { kind: 'invalidInput', message: 'm', at: START } as const;
    const skipped = due({ overlap: 'skip' }, { lastStatus: 'Running', lastError });
    expect((await planFire(skipped, makeStart)).lastError).toBe(lastError);
    expect((await planFire(due({}, { lastError }), makeStart)).lastError).toBeNull();
  });
});

it('a manual firing changes neither the next firing nor the state', async () => {
  const paused = due({}, { state: 'paused', reason: 'by hand' });
  const start = await makeStart(paused, {} as FiringFacts);
  expect(fireManually(paused, START + 5, start)).toMatchObject({
    state: 'paused',
    reason: 'by hand',
    nextFor: START + HOUR,
    lastFiredFor: null,
    lastExecutionId: 'execution 1',
    firings: [{ outcome: 'manual', scheduledFor: START + 5 }],
  });
});
