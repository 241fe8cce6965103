import { beforeEach, describe, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { ClaimReconciler } from '../../../lib/engine/claims/claim-reconciler.js';
import type { OrphanReceiver } from '../../../lib/engine/claims/orphan-receiver.js';
import type { TaskClaim } from '../../../lib/engine/claims/task-claim.js';
import { TaskRescheduler } from '../../../lib/engine/claims/task-rescheduler.js';
import { ItemReader } from '../../../lib/engine/items/item-reader.js';
import { InputReader } from '../../../lib/engine/memory/input-reader.js';
import { MessageTaker } from '../../../lib/engine/messages/message-taker.js';
import { StepServices } from '../../../lib/engine/waits/step-services.js';
import { WorkflowTimeouts } from '../../../lib/engine/workflow-timeouts.js';
import { MemoryFailure } from '../../../lib/testing/memory-store/index.js';
import { EngineScene, registered } from './engine-scene.js';

let scene: EngineScene;
let claim: TaskClaim;
let logged: string[];
beforeEach(async () => {
  scene = new EngineScene(registered([{ name: 'a' }], { timeout: 60_000 }));
  [claim] = (await scene.running()) as [TaskClaim];
  logged = [];
  Logger.overrideLogger({
    log: () => undefined,
    error: (message: string) => void logged.push(message),
    warn: (message: string) => void logged.push(message),
  });
});

const away = (): Promise<never> => Promise.reject(new MemoryFailure('connection', 'away'));

function steps(): StepServices {
  scene.store.steps = away;
  const { clock, store } = scene;
  const limits = { maxSteps: 10, maxStepsSize: 1_000, maxResultSize: 100 };
  return new StepServices({
    clock,
    store,
    ...limits,
    stored: () => undefined,
    refused: () => undefined,
  });
}

/** What waits as long as its statement fails. Each begins the wait, and may return what ends it. */
const WAITS: Record<string, () => unknown> = {
  'a task that is given back': () => {
    scene.store.reschedule = away;
    const rescheduler = new TaskRescheduler(scene.store, scene.claims, scene.clock);
    void rescheduler.reschedule({ claim, kind: 'retry', delayMs: 0, error: {} });
  },
  'a read of inputs': () => {
    scene.store.inputs = away;
    const cache = scene.claims.cacheOf('another', scene.definition, 0);
    const { task, executionId } = claim;
    const reader = new InputReader(scene.store, scene.clock);
    const wanted = { cache, task, executionId };
    // oxlint-disable-next-line unicorn/no-array-fill-with-reference-type -- it is not an array
    void reader.fill(wanted);
  },
  'a read of items': () => {
    scene.store.items.read = away;
    void new ItemReader(scene.store, scene.clock).fill(claim);
  },
  'a read of steps': () => void steps().read(claim),
  'a look for messages': () => {
    scene.store.messages.take = away;
    const { clock, store } = scene;
    const taker = new MessageTaker({ clock, store, steps: steps(), refused: () => undefined });
    void taker.take(claim, 'wait', []);
  },
  'a comparison of claims': () => {
    scene.store.claimsOf = away;
    const { clock, store, claims, inFlight, lease } = scene;
    const reconciler = new ClaimReconciler({
      clock,
      tenant: 't',
      store,
      claims,
      inFlight,
      lease,
      maxRecoveryAttempts: 3,
      orphans: () => ({}) as OrphanReceiver,
      wakeWorkers: () => undefined,
    });
    reconciler.request();
  },
  'the end of executions whose time is over': () => {
    scene.store.pastDeadlines = away;
    const { clock, store, claims } = scene;
    const events = { executionEnded: () => undefined };
    const timeouts = new WorkflowTimeouts({
      clock,
      tenant: 't',
      store,
      claims,
      ends: { tell: () => undefined },
      events: events as never,
    });
    clock.interval(() => void timeouts.enforce().catch(() => undefined), 1_000);
  },
};

describe('What waits for a database that is away', () => {
  it.each(Object.keys(WAITS))('is told of after some seconds, and not before: %s', async (name) => {
    WAITS[name]?.();
    for (let ms = 0; ms < 4_500; ms += 100) await scene.clock.advance(100);
    expect(logged).toEqual([]);
    for (let ms = 0; ms < 5_500; ms += 100) await scene.clock.advance(100);
    expect(logged).toHaveLength(1);
    expect(logged[0]).toMatch(/away/);
  });
});
