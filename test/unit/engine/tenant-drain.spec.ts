import { beforeEach, describe, expect, it } from '@jest/globals';
import type { TaskClaim } from '../../../lib/engine/claims/task-claim.js';
import type { TaskCompleter } from '../../../lib/engine/execution/task-completer.js';
import { TenantDrain } from '../../../lib/engine/tenant-drain.js';
import { EngineScene, registered } from './engine-scene.js';

let scene: EngineScene;
let drain: TenantDrain;
let isBusy: () => boolean;
let isConnected: boolean;
/** Resolves when what is being recorded is. */
let recorded: () => Promise<void>;
beforeEach(() => {
  scene = new EngineScene(registered([{ name: 'a' }, { name: 'b' }, { name: 'c' }]));
  isConnected = true;
  isBusy = () => false;
  recorded = async () => undefined;
  const giveBack = (claim: TaskClaim): void => {
    claim.stage = 'settled';
    scene.called.push(`giveBack ${claim.task.name}`);
  };
  drain = new TenantDrain({
    clock: scene.clock,
    claims: scene.claims,
    queue: scene.queue,
    completer: { giveBack } as unknown as TaskCompleter,
    recording: [{ whenIdle: () => recorded() }],
    isBusy: () => isBusy(),
    isConnected: () => isConnected,
  });
});

/** Moves the clock on until the drain is over; returns how long it took. */
async function run(timeoutMs: number): Promise<number> {
  const drained = { isOver: false };
  void drain.run(timeoutMs).finally(() => (drained.isOver = true));
  await scene.clock.advance(0);
  while (!drained.isOver) await scene.clock.advance(10);
  return scene.clock.now();
}

describe('TenantDrain', () => {
  it('gives back what has not begun, and what still runs at its timeout', async () => {
    const [waiting, running, settled] = await scene.running();
    running!.stage = 'running';
    settled!.stage = 'settled';
    scene.queue.running = 1;
    const tookMs = await run(1_000);
    expect(scene.called).toEqual(['giveBack a', 'giveBack b']);
    expect([waiting, running, settled].map((claim) => claim!.lost)).toEqual([false, true, false]);
    // Its handler ignores the signal.
    expect(tookMs).toBe(2_000);
  });

  it('waits for handlers that end in time, and for no others', async () => {
    const [claim] = await scene.running();
    for (const each of scene.claims.all()) each.stage = 'settled';
    claim!.stage = 'running';
    scene.queue.running = 1;
    scene.clock.timer(() => {
      scene.claims.release(claim!);
      scene.queue.running = 0;
      scene.queue.becameIdle();
    }, 300);
    expect([await run(1_000), claim!.lost, scene.called]).toEqual([300, false, []]);
  });

  it('gives back claims that it is told of only while it waits for the recording', async () => {
    const id = await scene.start();
    isBusy = () => scene.claims.all().some(({ stage }) => stage !== 'settled');
    recorded = async () => {
      if (scene.claims.size === 0) await scene.adopt(id);
    };
    await run(0);
    expect(scene.called).toEqual(['giveBack a', 'giveBack b', 'giveBack c']);
  });

  it('waits five seconds at most for what is recorded', async () => {
    recorded = () => new Promise(() => undefined);
    expect(await run(0)).toBe(5_000);
  });

  it('does not wait for a database that is away after its timeout', async () => {
    recorded = () => new Promise(() => undefined);
    isConnected = false;
    expect(await run(1_000)).toBe(1_000);
  });
});
