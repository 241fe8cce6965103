import { beforeEach, describe, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { MoveFollower } from '../../../lib/tenants/moving/move-follower.js';
import type { TenantRow } from '../../../lib/tenants/moving/move-state.js';
import { ManualClock } from '../../../lib/testing/manual-clock.js';

Logger.overrideLogger(false);

const LIVE: TenantRow = { state: 'live', moveId: null, peer: null, deadlineInMs: null };
const row = (state: TenantRow['state'], deadlineInMs: number | null = null): TenantRow => ({
  state,
  moveId: 'm',
  peer: 'us',
  deadlineInMs,
});

let now: TenantRow | undefined;
let calls: string[];
/** What a change of the server comes to. */
let follow: () => Promise<boolean>;
let clock: ManualClock;
let follower: MoveFollower;
beforeEach(() => {
  now = LIVE;
  calls = [];
  follow = async () => false;
  clock = new ManualClock();
  follower = new MoveFollower({
    clock,
    tenant: 'acme',
    timeoutMs: 5_000,
    read: async () => now,
    stop: () => void calls.push('stop'),
    goOn: async () => void calls.push('goOn'),
    undo: async () => void calls.push('undo'),
    follow: () => {
      calls.push('follow');
      return follow();
    },
  });
});

describe('MoveFollower', () => {
  it('leaves a tenant alone that is being copied', async () => {
    now = row('copying');
    await follower.look();
    expect([follower.isMoving, calls]).toEqual([false, []]);
  });

  it('stops a tenant until the move is undone, and looks by itself', async () => {
    now = row('stopping', 60_000);
    await follower.look();
    expect([follower.isMoving, follower.isLeaving, follower.movesTo]).toEqual([true, false, 'us']);
    expect(calls).toEqual(['stop']);
    await follower.wait(new AbortController().signal);
    now = LIVE;
    await clock.advance(1_000);
    expect([follower.isMoving, follower.movesTo]).toEqual([false, undefined]);
    expect(calls.at(-1)).toBe('goOn');
    calls.length = 0;
    await clock.advance(10_000);
    expect(calls).toEqual([]);
  });

  it('asks for the undoing of a stop only after its deadline', async () => {
    now = row('stopping', 0);
    await follower.look();
    expect(calls).toEqual(['stop']);
    now = row('stopping', -1_000);
    await follower.look();
    expect(calls).toEqual(['stop', 'stop', 'undo']);
    expect(follower.isMoving).toBe(true);
  });

  it('follows a tenant that has moved, and lets waiting calls pass', async () => {
    now = row('moved');
    let isAway = true;
    follow = async () => {
      if (isAway) throw new Error('us is away');
      now = LIVE;
      return true;
    };
    await follower.look();
    expect([follower.isLeaving, calls]).toEqual([true, ['stop', 'follow']]);
    let passed = false;
    const waiting = follower.wait(new AbortController().signal).then(() => (passed = true));
    await clock.advance(1_000);
    expect(passed).toBe(false);
    isAway = false;
    await clock.advance(1_000);
    await waiting;
    expect([follower.isMoving, calls.at(-1)]).toEqual([false, 'goOn']);
  });

  it('fails calls that have waited for startTimeout, with the cause', async () => {
    now = row('moved');
    follow = async () => Promise.reject(new Error('us is away'));
    await follower.look();
    const failed = expect(follower.wait(new AbortController().signal)).rejects.toMatchObject({
      code: 'TENANT_MOVING',
      peer: 'us',
      cause: { message: 'us is away' },
    });
    await clock.advance(5_000);
    await failed;
  });

  it('looks once more after a look during a look', async () => {
    now = row('stopping', 60_000);
    const first = follower.look();
    now = LIVE;
    void follower.look();
    await first;
    expect(follower.isMoving).toBe(false);
  });

  it('looks on other servers for a schema that is gone', async () => {
    now = undefined;
    await follower.look();
    expect([follower.isMoving, calls]).toEqual([false, ['follow']]);
  });

  it('stops at once with a row that was read for many tenants', () => {
    follower.saw(LIVE);
    expect(calls).toEqual([]);
    follower.saw(row('stopping', 60_000));
    expect([follower.isMoving, calls]).toEqual([true, ['stop']]);
    follower.close();
  });
});
