import { EndSettler } from '../children/end-settler.js';
import { CompletionWaiters } from '../completion/completion-waiters.js';
import { ExecutionEnds } from '../completion/execution-ends.js';
import { FinalContextWriter } from '../memory/final-context-writer.js';
import { InputReader } from '../memory/input-reader.js';
import { ExecutionChanges } from '../watch/execution-changes.js';
import type { AdoptionRoom } from './adoption.js';
import type { EngineCore } from './core.js';

export type CompletionRoom = ReturnType<typeof wireCompletion>;

/** The ends of executions: callers that wait or watch, final contexts, and what an end means for parents and children. */
export function wireCompletion(core: EngineCore, { waker }: AdoptionRoom) {
  const {
    settings,
    store,
    services,
    clock,
    address,
    childUse,
    claims,
    whileHeld,
    events,
    later,
    reconcile,
    telemetry,
  } = core;
  const changes = new ExecutionChanges({
    clock,
    isActive: (id) => claims.isActive(id),
    notifyWatched: (id) => services.notifyWatched(address, id),
    notifyChanged: (id) => services.notifyChanged(address, id),
    listen: (changed) => (events.changed = changed),
  });
  const inputs = new InputReader(store, clock, () => telemetry?.isTracing === true);
  const contexts = new FinalContextWriter(store, inputs, clock);
  const waiters = new CompletionWaiters(
    store,
    (id) => claims.isActive(id),
    () => services.hearsNotifications(),
    clock,
  );
  claims.onIdle = (id) => waiters.ownershipLost(id);
  const ends = new ExecutionEnds({
    address,
    claims,
    waiters,
    contexts,
    events,
    services,
    reconcile,
    settle: (id, unsettled) => settler.ended(id, unsettled),
    settleLeft: () => void settler.settleLeft(),
  });
  const settler = new EndSettler({
    clock,
    schema: settings.schema,
    store,
    claims,
    ends,
    events,
    waker,
    use: childUse,
    whileUnavailable: whileHeld,
    admitNext: (id) => later.admitter.ended(id),
  });
  return { changes, inputs, contexts, waiters, ends, settler };
}
