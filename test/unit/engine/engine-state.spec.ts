import { beforeEach, describe, expect, it } from '@jest/globals';
import {
  EngineState,
  type EngineStateEvent,
  type EngineStateName,
} from '../../../lib/engine/engine-state.js';

const EVENTS: EngineStateEvent[] = ['live', 'away', 'pause', 'resume', 'drain', 'close'];

/** How each state is reached, what is allowed in it, and the state after each event; none: it throws. */
const STATES: Record<
  EngineStateName,
  {
    by: EngineStateEvent[];
    mayClaim: boolean;
    mayBegin: boolean;
    isEnding: boolean;
    next: (EngineStateName | undefined)[];
  }
> = {
  standby: {
    by: [],
    mayClaim: false,
    mayBegin: true,
    isEnding: false,
    next: ['claiming', 'standby', 'pausedStandby', 'standby', 'draining', 'closed'],
  },
  claiming: {
    by: ['live'],
    mayClaim: true,
    mayBegin: true,
    isEnding: false,
    next: ['claiming', 'standby', 'paused', 'claiming', 'draining', 'closed'],
  },
  paused: {
    by: ['live', 'pause'],
    mayClaim: false,
    mayBegin: false,
    isEnding: false,
    next: ['paused', 'pausedStandby', 'paused', 'claiming', 'draining', 'closed'],
  },
  pausedStandby: {
    by: ['pause'],
    mayClaim: false,
    mayBegin: false,
    isEnding: false,
    next: ['paused', 'pausedStandby', 'pausedStandby', 'standby', 'draining', 'closed'],
  },
  draining: {
    by: ['live', 'drain'],
    mayClaim: false,
    mayBegin: false,
    isEnding: true,
    next: ['draining', 'draining', 'draining', 'draining', 'draining', 'closed'],
  },
  closed: {
    by: ['close'],
    mayClaim: false,
    mayBegin: false,
    isEnding: true,
    next: ['closed', 'closed', undefined, undefined, undefined, 'closed'],
  },
};
const names = Object.keys(STATES) as EngineStateName[];

let told: boolean[];
let state: EngineState;
beforeEach(() => {
  told = [];
  state = new EngineState((mayClaim) => told.push(mayClaim));
});

function reach(name: EngineStateName): void {
  for (const event of STATES[name].by) state.on(event);
  expect(state.name).toBe(name);
  told = [];
}

describe('EngineState', () => {
  it.each(names)('says what may be done in %s', (name) => {
    reach(name);
    const { mayClaim, mayBegin, isEnding } = STATES[name];
    expect(state).toMatchObject({ mayClaim, mayBegin, isEnding, isReleasing: false });
  });

  const cases = names.flatMap((name) =>
    EVENTS.map((event, i) => [name, event, STATES[name].next[i]] as const),
  );
  it.each(cases)('goes on from %s, with %s, to %s', (name, event, next) => {
    reach(name);
    if (next === undefined) {
      expect(() => state.on(event)).toThrow(`is ${name} can't ${event}`);
      expect([state.name, told]).toEqual([name, []]);
      return;
    }
    state.on(event);
    expect([state.name, told]).toEqual([next, [STATES[next].mayClaim]]);
  });

  it.each(names)('claims and begins nothing while the tenant moves: %s', (name) => {
    reach(name);
    const { mayClaim, mayBegin } = STATES[name];
    state.setMoving(true);
    expect(state).toMatchObject({ name, mayClaim: false, mayBegin: false, isMoving: true });
    state.setMoving(false);
    expect(state).toMatchObject({ name, mayClaim, mayBegin, isMoving: false });
    expect(told).toEqual([false, mayClaim]);
  });

  it.each(names)('claims nothing while the lease is being deleted: %s', (name) => {
    reach(name);
    const { mayClaim, mayBegin } = STATES[name];
    state.beginRelease();
    expect(state).toMatchObject({ name, mayClaim: false, mayBegin, isReleasing: true });
    expect(() => state.beginRelease()).toThrow('released already');
    state.endRelease();
    expect(state).toMatchObject({ name, mayClaim, mayBegin, isReleasing: false });
    expect(() => state.endRelease()).toThrow('not being released');
    expect(told).toEqual([false, mayClaim]);
  });

  it('changes its state while the lease is being deleted, and claims after that', () => {
    state.beginRelease();
    state.on('live');
    expect([state.name, state.mayClaim]).toEqual(['claiming', false]);
    state.endRelease();
    expect(told).toEqual([false, false, true]);
  });
});
