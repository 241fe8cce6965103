import { beforeEach, describe, expect, it } from '@jest/globals';
import type { ClaimGate } from '../../../lib/engine/claims/claim-gate.js';
import type { LeaseWrite } from '../../../lib/store/port/index.js';
import { EngineScene } from './engine-scene.js';

let scene: EngineScene;
let gate: ClaimGate;
beforeEach(() => {
  scene = new EngineScene();
  gate = scene.gate;
});

/** What the process knows at a point of the protocol. */
const state = () => ({
  reserved: scene.queue.reserved,
  underWay: scene.inFlight.isBusy,
  lease: scene.lease.isHeld ? 'held' : scene.lease.mayStand ? 'maybe' : 'none',
});
const IDLE = { reserved: 0, underWay: false };

describe('ClaimGate', () => {
  it('reserves room and writes the lease before the statement, and gives all back after the reply', async () => {
    const given = await gate.withRoom(
      3,
      async (lease, room) => [{ write: lease.write, room, ...state() }],
      (reply, room) => [...reply, { room, ...state() }],
    );
    expect(given).toEqual([
      { write: true, room: 3, reserved: 3, underWay: true, lease: 'maybe' },
      { room: 3, reserved: 3, underWay: true, lease: 'held' },
    ]);
    expect(state()).toEqual({ ...IDLE, lease: 'held' });
  });

  it('keeps the statement under way until its reply has been followed', async () => {
    const followed: unknown[] = [];
    await gate.withRoom(
      1,
      async () => undefined,
      async () => {
        await Promise.resolve();
        followed.push(state());
      },
    );
    expect(followed).toEqual([{ reserved: 1, underWay: true, lease: 'held' }]);
  });

  it('gives no more room than there is', async () => {
    scene.queue.occupy(7);
    const room = await gate.withRoom(
      10,
      async (_, granted) => granted,
      (granted) => granted,
    );
    expect([room, scene.queue.reserved]).toEqual([3, 7]);
  });

  it.each(['hasBacklog', 'hasLimitedBacklog'] as const)(
    'gives new work half of the room while other work waits: %s',
    (waits) => {
      expect(gate.besideBacklog(9)).toBe(9);
      scene.queue[waits] = true;
      expect(gate.besideBacklog(9)).toBe(5);
    },
  );

  it('writes no lease with a statement that has no room', async () => {
    scene.queue.occupy(10);
    const write = await gate.withRoom(
      1,
      async (lease) => lease.write,
      (written) => written,
    );
    expect([write, scene.lease.mayStand]).toEqual([false, false]);
  });

  it.each(['the statement', 'what follows'])('gives all back where %s fails', async (what) => {
    const fail = (at: string) => {
      if (at === what) throw new Error(at);
    };
    const sent = gate.withRoom(
      1,
      async () => fail('the statement'),
      () => fail('what follows'),
    );
    await expect(sent).rejects.toThrow(what);
    expect(state()).toEqual({ ...IDLE, lease: what === 'the statement' ? 'maybe' : 'held' });
  });

  it('takes no room for claims that get no slot, and has their lease written', async () => {
    const seen = await gate.withoutRoom(
      async (lease) => ({ write: lease.write, ...state() }),
      (reply) => reply,
    );
    expect(seen).toEqual({ write: true, reserved: 0, underWay: true, lease: 'maybe' });
    expect(state()).toEqual({ ...IDLE, lease: 'held' });
  });

  it('takes no lease for written whose transaction has not been committed', async () => {
    const leases: LeaseWrite[] = [];
    await gate.inTransaction(1, async (lease) => leases.push(lease));
    expect([leases[0]?.write, state()]).toEqual([true, { ...IDLE, lease: 'maybe' }]);
    const failed = gate.inTransaction(1, () => Promise.reject(new Error('no')));
    await expect(failed).rejects.toThrow('no');
    expect(state()).toEqual({ ...IDLE, lease: 'maybe' });
  });

  it('writes no lease in a transaction that has no room', async () => {
    scene.queue.occupy(10);
    const write = await gate.inTransaction(1, async (lease) => lease.write);
    expect([write, scene.lease.mayStand]).toEqual([false, false]);
  });
});
