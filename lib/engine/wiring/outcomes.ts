import { TaskRescheduler } from '../claims/task-rescheduler.js';
import { REFUSED } from '../execution/handler-outcome.js';
import { OutcomeRecorder } from '../execution/outcome-recorder.js';
import { TaskCompleter } from '../execution/task-completer.js';
import type { TaskClaim } from '../claims/task-claim.js';
import type { AdoptionRoom } from './adoption.js';
import type { CompletionRoom } from './completion.js';
import type { EngineCore } from './core.js';

export type OutcomesRoom = ReturnType<typeof wireOutcomes>;

/** The end of claims: by an outcome, or rescheduled. */
export function wireOutcomes(
  core: EngineCore,
  { receiver }: AdoptionRoom,
  { waiters, ends, settler }: CompletionRoom,
) {
  const { store, clock, state, events, claims, gate, later, reconcile, telemetry, tenant } = core;
  const rescheduler = new TaskRescheduler(store, claims, clock);
  const refused = (claim: TaskClaim): void => completer.complete(claim, REFUSED);
  const recorder = new OutcomeRecorder(store, claims, gate, clock, {
    isAwaited: (id) => waiters.isAwaited(id),
    claimed: ({ claim }, readied, batch) => receiver.fromOutcome(claim, readied, batch),
    limitedReady: (key) => (key === undefined ? later.limited.look() : later.limited.ready([key])),
    leftReady: (runsHere) => (runsHere ? later.wakeUps.leftHere(1) : later.wakeUps.wakeWorkers(1)),
    ended: (result, end) => ends.recorded(result, end),
    recorded: ({ claim, status, error }) => {
      events.taskEnded(claim, status, error);
      if (status === 'Failed' && claim.failsFast) later.itemCanceller.failFast(claim);
      if (status === 'Completed' && claim.isMap) later.maps.completed(claim);
    },
    refused: ({ claim }) => refused(claim),
    batch: telemetry && ((size) => telemetry.batch('outcome', tenant, size)),
    mayBeWritten: () => {
      reconcile();
      // The lost reply named the executions that ended.
      void settler.settleLeft();
    },
  });
  const completer = new TaskCompleter({
    clock,
    state,
    store,
    claims,
    recorder,
    rescheduler,
    events,
    cancelItems: (claim) => later.itemCanceller.ofMap(claim),
    consequences: { dueIn: (ms) => later.wakeUps.dueIn(ms), reconcile },
  });
  return { rescheduler, recorder, completer, refused };
}
