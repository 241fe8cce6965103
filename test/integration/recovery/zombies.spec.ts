import { describe, expect, it } from '@jest/globals';
import { NonRetryableError } from '../../../lib/errors/index.js';
import { STATEMENTS } from '../../faults/workload/failpoints.js';
import { illegalHistories } from '../../faults/workload/legal-history.js';
import { aborted } from '../../support/gate.js';
import { processEngineOf } from '../../support/open-tenant.js';
import { FULL_SIZE } from '../../support/sizes.js';
import { waitFor } from '../../support/wait-for.js';
import { Scene, type Handler } from './zombie-scene.js';

interface Kind {
  readonly workflow: string;
  readonly zombie: Handler;
  /** The statement at which the zombie is stopped. */
  readonly before: string;
  /** Of those statements; default: the first. */
  readonly nth?: number;
  /** What keeps it from being written, and what stands in its place in the control run. */
  readonly fence: readonly [part: string, by: string];
  /** Default: it holds the task until it is let go. */
  readonly survivor?: Handler;
  /** Told once the survivor has the task: until it is past what would change the rows. */
  readonly until?: (scene: Scene) => Promise<unknown>;
  /** What it does once it has started the workflow. */
  readonly started?: (scene: Scene) => Promise<unknown>;
  readonly options?: { readonly delay: string };
  /** The survivor claims nothing before the zombie is stopped. */
  readonly survivorWaits?: boolean;
  /** It is on its way to its end, and begins nothing new. */
  readonly closes?: boolean;
}

const TOKEN = ['t.claim_token = i.claim_token', 'true'] as const;
const byZombie = (): object => ({ by: 'zombie' });
const untilEnded = (scene: Scene): Promise<unknown> =>
  waitFor(async () => (await scene.executions('completed_at IS NULL')) === 0);

const KINDS: Record<string, Kind> = {
  'a success': { workflow: 'plain', zombie: byZombie, before: STATEMENTS.complete, fence: TOKEN },
  'a final failure': {
    workflow: 'plain',
    zombie: () => {
      throw new NonRetryableError('by the zombie');
    },
    before: STATEMENTS.complete,
    fence: TOKEN,
  },
  'a retry': {
    workflow: 'plain',
    zombie: () => {
      throw new Error('by the zombie');
    },
    before: STATEMENTS.reschedule,
    fence: TOKEN,
  },
  'a deferral': {
    workflow: 'plain',
    zombie: (context) => context.deferUntil(() => false, { every: '1h' }),
    before: STATEMENTS.reschedule,
    fence: TOKEN,
  },
  'a sleep': {
    workflow: 'plain',
    zombie: async (context) => {
      await context.sleep('pause', '3d');
    },
    before: STATEMENTS.recordSteps,
    fence: TOKEN,
  },
  'a step': {
    workflow: 'plain',
    zombie: async (context) => {
      await context.step('made', () => 'zombie');
    },
    before: STATEMENTS.recordSteps,
    fence: TOKEN,
  },
  'a success, when the survivor has recorded its own': {
    workflow: 'plain',
    zombie: byZombie,
    before: STATEMENTS.complete,
    fence: TOKEN,
    survivor: () => ({ by: 'survivor' }),
    until: untilEnded,
  },
  'a skip': {
    workflow: 'decided',
    zombie: byZombie,
    // Of the second task.
    before: STATEMENTS.complete,
    fence: TOKEN,
    nth: 2,
    until: untilEnded,
  },
  "a transactional task's commit": {
    workflow: 'transactional',
    zombie: async ({ manager }) => {
      await manager.query(`INSERT INTO effect VALUES ('zombie')`);
    },
    before: STATEMENTS.complete,
    fence: TOKEN,
    survivor: async ({ manager }) => {
      await manager.query(`INSERT INTO effect VALUES ('survivor')`);
    },
    until: untilEnded,
  },
  "the note that a suspect's handler begins": {
    workflow: 'plain',
    options: { delay: '1h' },
    zombie: byZombie,
    before: 'SET started_at = clock_timestamp()\n',
    fence: ['claim_token = $4::bigint', '$4::bigint IS NOT NULL'],
    // Its own look would find it due as well, and might be first.
    survivorWaits: true,
    started: async ({ zombie, lostTwice }) => {
      await lostTwice();
      zombie.engine.claimAvailable();
    },
  },
  'what a shutdown gives back': {
    workflow: 'plain',
    closes: true,
    zombie: ({ signal }) => aborted(signal),
    before: STATEMENTS.reschedule,
    fence: TOKEN,
    started: async (scene) => {
      await waitFor(() => scene.begins('zombie') === 1);
      void scene.zombie.close();
    },
  },
};

/** Of each fence that is taken out, one; the fault tests have all. */
const CONTROLS = [
  KINDS['a retry'],
  KINDS['a step'],
  KINDS["the note that a suspect's handler begins"],
];

interface Played {
  readonly scene: Scene;
  readonly id: string;
  readonly before: unknown;
  readonly after: unknown;
}

async function play(kind: Kind, withoutFence: boolean): Promise<Played> {
  const scene = await Scene.open(kind.survivorWaits);
  const { zombie, process, survivor } = scene;
  const former = zombie.engine.lease.instanceId;
  scene.handlers = { zombie: kind.zombie, survivor: kind.survivor ?? (() => scene.hold()) };
  if (withoutFence) process.rewrite(...kind.fence);
  const stopped = process.stopBefore(kind.before, kind.nth);
  // Beside it runs something that has nothing to write.
  await zombie.runner.start('beside');
  const { id } = await zombie.runner.start(kind.workflow, {}, kind.options);
  await kind.started?.(scene);
  await stopped;
  if (kind.survivorWaits === true) await survivor.host.startClaiming();
  await scene.giveUp();
  await (kind.until?.(scene) ?? waitFor(() => scene.begins('survivor') === 1));
  await waitFor(async () => (await scene.executions(`workflow = 'beside' AND completed_at IS NOT NULL`)) === 1); // prettier-ignore
  const before = await scene.rows();
  process.goOn();
  // What a timer does that is overdue.
  await processEngineOf(zombie).renewOnce();
  // One that is closing may have let go of its lease before the renewal could miss it.
  if (!kind.closes) expect(zombie.engine.lease.instanceId).not.toBe(former);
  await scene.settled();
  expect(scene.besides).toEqual([true]);
  return { before, after: await scene.rows(), scene, id };
}

describe.each(Object.entries(KINDS))(
  'A process that was given up for dead and writes %s',
  (_, kind) => {
    it('is refused, and goes on with new work under a new identity', async () => {
      const { before, after, scene, id } = await play(kind, false);
      expect(after).toEqual(before);
      const { survivor } = scene;
      scene.free.open();
      expect((await survivor.runner.handle(id).result()).status).toBe('Completed');
      expect(await illegalHistories(survivor.query)).toEqual([]);
      if (kind.closes) return;
      expect(scene.lost.length).toBeGreaterThan(0);
      await scene.goesOn();
    });

    if (!FULL_SIZE && !CONTROLS.includes(kind)) return;
    it('does damage, where its fence is taken out; so the test can fail', async () => {
      const { before, after, scene } = await play(kind, true);
      scene.free.open();
      expect(scene.process.rewritten).toBeGreaterThan(0);
      expect(after).not.toEqual(before);
    });
  },
);
