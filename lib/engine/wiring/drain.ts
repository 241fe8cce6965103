import { TenantDrain } from '../tenant-drain.js';
import type { AdmissionsRoom } from './admissions.js';
import type { ChildrenRoom } from './children.js';
import type { ClaimsRoom } from './claims.js';
import type { CompletionRoom } from './completion.js';
import type { EngineCore } from './core.js';
import type { ExecutionRoom } from './execution.js';
import type { MapsRoom } from './maps.js';
import type { OutcomesRoom } from './outcomes.js';
import type { SchedulesRoom } from './schedules.js';
import type { StartsRoom } from './starts.js';
import type { WaitsRoom } from './waits.js';

export interface GroupsWithWork {
  readonly admissions: AdmissionsRoom;
  readonly completion: CompletionRoom;
  readonly outcomes: OutcomesRoom;
  readonly waits: WaitsRoom;
  readonly starts: StartsRoom;
  readonly children: ChildrenRoom;
  readonly maps: MapsRoom;
  readonly execution: ExecutionRoom;
  readonly claims: ClaimsRoom;
  readonly schedules: SchedulesRoom;
}

/**
 * The end of the engine's work. A new part that sends statements belongs into these three lists. Parts that only read belong
 * into the last one: a read is part of work that counts itself, as a claim that reads its input has room reserved.
 *
 * @param isRecovering - whether a recovery is taking orphans for this tenant
 */
export function wireDrain(core: EngineCore, groups: GroupsWithWork, isRecovering: () => boolean) {
  const { services, clock, claims, inFlight, queue, whileHeld } = core;
  const { isBusy, claimer, limited, reconciler, wakeUps } = groups.claims;
  const { changes, inputs, contexts, settler } = groups.completion;
  const { completer, recorder, rescheduler } = groups.outcomes;
  const { steps, taker, messages, delivery, eventStarter } = groups.waits;
  const { childStarter, children } = groups.children;
  const { items, itemCanceller } = groups.maps;
  const { suspects, progress, overruns } = groups.execution;
  const { starts } = groups.starts;
  const { firer } = groups.schedules;
  const { admitter } = groups.admissions;
  const isRecording = (): boolean =>
    itemCanceller.isBusy ||
    recorder.isBusy ||
    steps.isBusy ||
    taker.isBusy ||
    messages.isBusy ||
    delivery.isBusy ||
    eventStarter.isBusy ||
    childStarter.isBusy ||
    children.isBusy ||
    settler.isBusy ||
    admitter.isBusy ||
    firer.isBusy ||
    rescheduler.isBusy ||
    contexts.isBusy ||
    suspects.isNoting ||
    inFlight.isBusy ||
    isRecovering();
  const drain = new TenantDrain({
    clock,
    claims,
    queue,
    completer,
    recording: [
      eventStarter,
      firer,
      starts,
      claimer,
      limited,
      itemCanceller,
      steps,
      taker,
      children,
      childStarter,
      settler,
      admitter,
      recorder,
      rescheduler,
      contexts,
      messages,
      delivery,
      reconciler,
    ],
    isBusy: () => isBusy() || isRecording(),
    isConnected: () => services.isConnected(),
  });
  /** The parts to close, in this order. */
  const closing = [
    whileHeld,
    firer,
    reconciler,
    starts,
    messages,
    delivery,
    eventStarter,
    steps,
    progress,
    taker,
    children,
    childStarter,
    settler,
    admitter,
    recorder,
    rescheduler,
    inputs,
    items,
    contexts,
    overruns,
    limited,
    wakeUps,
    changes,
  ];
  return { drain, closing };
}
