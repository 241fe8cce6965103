import { afterAll, beforeAll, describe } from '@jest/globals';
import { describeActions } from './actions.js';
import { describeAdmissions } from './admissions.js';
import { describeBatches } from './batches.js';
import { describeBulk } from './bulk.js';
import { describeChildEnds } from './child-ends.js';
import { describeChildUse } from './child-use.js';
import { describeChildren } from './children.js';
import { describeClaimTokens } from './claim-tokens.js';
import { describeClaims } from './claims.js';
import { describeControl } from './control.js';
import { describeDebounces } from './debounces.js';
import { describeDeadlines } from './deadlines.js';
import { describeDefinitions } from './definitions.js';
import { describeExecutionEnd } from './execution-end.js';
import { describeExplanations } from './explanations.js';
import { describeFanIn } from './fan-in.js';
import { describeFence } from './fence.js';
import { describeFinding } from './finding.js';
import { describeFiringPruning } from './firing-pruning.js';
import { describeGivenEvents } from './given-events.js';
import { describeGivenSignals } from './given-signals.js';
import { describeHistories } from './histories.js';
import { describeIdempotencyKeys } from './idempotency-keys.js';
import { describeItemLimits } from './item-limits.js';
import { describeItems } from './items.js';
import { describeLeases } from './leases.js';
import { describeLimits } from './limits.js';
import { describeLostClaims } from './lost-claims.js';
import { describeManualRetry } from './manual-retry.js';
import { describeEventStarts } from './event-starts.js';
import { describeMaps } from './maps.js';
import { describeMessages } from './messages.js';
import { describePermits } from './permits.js';
import { describeProcesses } from './processes.js';
import { describeQueues } from './queues.js';
import { describeProgress } from './progress.js';
import { describeReads } from './reads.js';
import { describeRecovery } from './recovery.js';
import { describeRendezvous } from './rendezvous.js';
import { describeReschedule } from './reschedule.js';
import { describeScheduleReports } from './schedule-reports.js';
import { describeRetention } from './retention.js';
import { describeSchedules } from './schedules.js';
import { describeSessions } from './sessions.js';
import { describeStarts } from './starts.js';
import { describeStatistics } from './statistics.js';
import { describeStates } from './states.js';
import { TestedStore, type OpenedStore } from './tested-store.js';
import { describeSteps } from './steps.js';
import { describeSuspension } from './suspension.js';
import { describeTraces } from './traces.js';
import { describeTransactions } from './transactions.js';
import { describeWorkflowPauses } from './workflow-pauses.js';

const PARTS: readonly (readonly [name: string, describePart: (tested: TestedStore) => void])[] = [
  ['starts', describeStarts],
  ['idempotency keys', describeIdempotencyKeys],
  ['claims', describeClaims],
  ['claim tokens', describeClaimTokens],
  ['limits', describeLimits],
  ['priorities and queues', describeQueues],
  ['admissions', describeAdmissions],
  ['debounced starts', describeDebounces],
  ['batches', describeBatches],
  ['the fence', describeFence],
  ['fan-in', describeFanIn],
  ['items of a task', describeItems],
  ['maps', describeMaps],
  ['limits of items', describeItemLimits],
  ['the end of an execution', describeExecutionEnd],
  ['children', describeChildren],
  ['whether a tenant has children', describeChildUse],
  ['the ends of children and parents', describeChildEnds],
  ['tasks that are given back', describeReschedule],
  ['tasks that sleep and are woken', describeSuspension],
  ['steps', describeSteps],
  ['progress', describeProgress],
  ['cancel, pause and resume', describeControl],
  ['many executions at once', describeBulk],
  ['retention', describeRetention],
  ['deadlines of executions', describeDeadlines],
  ['a manual retry', describeManualRetry],
  ['leases', describeLeases],
  ['sessions', describeSessions],
  ['permits', describePermits],
  ['recovery', describeRecovery],
  ['claims of a process', describeLostClaims],
  ['definitions', describeDefinitions],
  ['reads', describeReads],
  ['explanations', describeExplanations],
  ['processes', describeProcesses],
  ['finding executions', describeFinding],
  ['histories', describeHistories],
  ['statistics', describeStatistics],
  ['signals and events', describeMessages],
  ['starts by events', describeEventStarts],
  ['signals for tasks that sleep', describeGivenSignals],
  ['events for tasks that sleep', describeGivenEvents],
  ['the rendezvous', describeRendezvous],
  ['schedules', describeSchedules],
  ['states', describeStates],
  ['reports of schedules', describeScheduleReports],
  ['pruned firings', describeFiringPruning],
  ['pauses of workflows', describeWorkflowPauses],
  ['actions', describeActions],
  ['transactions', describeTransactions],
  ['traces and measurements', describeTraces],
];

/**
 * What is true of every store, by the port alone. One tenant serves all of it: each test has executions of its own, and
 * a definition of its own where it claims.
 */
export function describeStore(name: string, open: () => Promise<OpenedStore>): void {
  describe(`a store ${name}`, () => {
    const tested = new TestedStore(open);
    beforeAll(() => tested.open());
    afterAll(() => tested.close());
    for (const [part, describePart] of PARTS) describe(part, () => describePart(tested));
  });
}
