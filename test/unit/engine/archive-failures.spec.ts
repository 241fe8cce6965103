import { afterEach, beforeEach, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { ArchiveFailures } from '../../../lib/engine/retention/archive-failures.js';
import {
  ArchiveFailure,
  ArchiveReadError,
  type UnreadableTree,
} from '../../../lib/engine/retention/archiver.js';
import type { RetentionTurn } from '../../../lib/store/port/index.js';
import { ManualClock } from '../../../lib/testing/manual-clock.js';

const MINUTE = 60_000;

let clock: ManualClock;
let failures: ArchiveFailures;
/** Number of failures in the row of the turn. */
let noted: number;
beforeEach(() => {
  jest.spyOn(Logger.prototype, 'error').mockReturnValue(undefined);
  clock = new ManualClock();
  failures = new ArchiveFailures('t', clock);
  noted = 0;
});
afterEach(() => {
  jest.restoreAllMocks();
});

function turnNow(): RetentionTurn {
  return { isMine: true, heldForMs: 0, now: 0, rules: {}, failures: noted };
}

/** What ends a lap. */
function refusal(of: Partial<Record<'sent' | 'unreadable', string[]>>): ArchiveFailure {
  return new ArchiveFailure('no', new Error('The bucket is full.'), {
    sent: [],
    unreadable: [],
    ...of,
  });
}

/** A lap that finds trees that can't be read. */
function lap(kind: 'fresh' | 'full', ...ids: string[]): void {
  const unreadable = ids.map((id): UnreadableTree => ({
    id,
    error: new ArchiveReadError(id, new Error('too long')),
  }));
  const note = failures.lapEnded(unreadable, failures.toSkip, turnNow(), kind === 'full');
  if (note === null) noted = 0;
  else if (note !== undefined) noted++;
}

it('reads trees again when their time has come, although other trees fail all the time', async () => {
  lap('full', 'a');
  for (let laps = 0; laps < 6; laps++) {
    expect(failures.toSkip).toContain('a');
    await clock.advance(MINUTE / 6);
    lap('fresh', `later ${laps}`);
  }
  expect(failures.toSkip.size).toBe(0);
  expect(failures.readAgainInMs).toBe(0);
});

it('reads a tree again after a growing pause, and takes the failure back when a full lap can', async () => {
  lap('full', 'a');
  expect(failures.readAgainInMs).toBe(MINUTE);
  await clock.advance(MINUTE);
  lap('full', 'a');
  expect(failures.readAgainInMs).toBe(2 * MINUTE);
  await clock.advance(2 * MINUTE);
  lap('fresh');
  expect([failures.readAgainInMs, noted]).toEqual([0, 2]);
  lap('full');
  expect([failures.readAgainInMs, noted]).toEqual([Infinity, 0]);
});

it('leaves trees alone after a lap that has failed with them, so that the next one gets further', async () => {
  lap('full', 'a');
  await clock.advance(MINUTE);
  expect(failures.toSkip.size).toBe(0);
  failures.refused(refusal({ unreadable: ['b'] }), turnNow());
  // The next lap is two minutes later.
  await clock.advance(2 * MINUTE);
  expect([...failures.toSkip]).toEqual(['a', 'b']);
  expect(failures.readAgainInMs).toBe(2 * MINUTE);
});

it('puts the trees of a failed call aside, sends each alone, and leaves alone the one that fails so', async () => {
  failures.refused(refusal({ sent: ['a', 'b', 'c'] }), turnNow());
  expect([...failures.toSkip]).toEqual(['a', 'b', 'c']);
  await clock.advance(2 * MINUTE);
  expect(failures.toSkip.size).toBe(0);
  expect(['a', 'b', 'c', 'd'].filter((id) => failures.isAlone(id))).toEqual(['a', 'b', 'c']);
  failures.archived('a');
  failures.refused(refusal({ sent: ['b'] }), turnNow());
  expect([...failures.toSkip]).toEqual(['b']);
  expect(['a', 'b', 'c'].filter((id) => failures.isAlone(id))).toEqual(['b', 'c']);
});

it('takes the archive for the cause if calls with more than a thousand trees have failed', () => {
  for (let call = 0; call < 6; call++) {
    const sent = Array.from({ length: 200 }, (_, n) => `${call} ${n}`);
    failures.refused(refusal({ sent }), turnNow());
    expect(failures.toSkip.size).toBe(call === 5 ? 0 : (call + 1) * 200);
  }
  expect(failures.isAlone('0 0')).toBe(false);
});
