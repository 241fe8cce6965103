import { describe, expect, it } from '@jest/globals';
import {
  compileWorkflow,
  taskFailed,
  type CompiledWorkflow,
  type TaskStatus,
} from '../../../lib/workflow/index.js';
import type {
  EventFacts,
  ExecutionFacts,
  History,
  TaskFacts,
} from '../../faults/workload/history.js';
import { illegalitiesOf } from '../../faults/workload/legal-history.js';

const compiled = compileWorkflow({
  name: 'order',
  tasks: [
    { name: 'prepare', retry: { maxAttempts: 3 } },
    { name: 'charge', dependsOn: ['prepare'], retry: { maxAttempts: 3 } },
    { name: 'refund', dependsOn: ['charge'], when: taskFailed('charge') },
    { name: 'ship', dependsOn: ['charge'] },
  ],
});
if (!compiled.ok) throw new Error('The workflow has a mistake.');
const workflow: CompiledWorkflow = compiled.workflow;
const [PREPARE, CHARGE, REFUND, SHIP] = [0, 1, 2, 3];

const task = (no: number, status: TaskStatus, more: Partial<TaskFacts> = {}): TaskFacts => ({
  no,
  status,
  pending: 0,
  unmet: 0,
  token: status === 'Running' ? 1 : 2,
  isOwned: status === 'Running',
  isDue: status === 'Ready',
  paused: false,
  hasSteps: false,
  attempt: 0,
  recoveryAttempts: 0,
  generation: 0,
  skipReason: null,
  hasError: false,
  attempts: [],
  startedAt: 10 + no * 10,
  completedAt: status === 'Running' || status === 'Ready' ? null : 15 + no * 10,
  ...more,
});

const event = (
  at: number,
  taskNo: number | null,
  kind: string,
  more: Partial<EventFacts> = {},
): EventFacts => ({
  log: kind === 'recovered' || kind === 'abandoned' ? 'recovery' : 'execution',
  id: at,
  at,
  taskNo,
  kind,
  attempt: null,
  reason: null,
  was: null,
  wasCompletedAt: null,
  wasSkipReason: null,
  tasks: null,
  ...more,
});

const execution: ExecutionFacts = {
  id: 'x',
  status: 'Completed',
  generation: 0,
  remainingLeaves: 0,
  unhandledFailures: 0,
  hasDeadline: false,
  createdAt: 1,
  startedAt: 10,
  completedAt: 90,
};

/** Nothing went wrong but a retry and two lost processes. */
function completed(): History {
  return {
    workflow,
    execution,
    tasks: [
      task(PREPARE, 'Completed', { token: 6, recoveryAttempts: 2 }),
      task(CHARGE, 'Completed', {
        token: 4,
        attempt: 1,
        attempts: [{ attempt: 1, startedAt: 20, completedAt: 21 }],
        startedAt: 22,
        hasError: true,
      }),
      task(REFUND, 'Skipped', { skipReason: 'rule' }),
      task(SHIP, 'Completed'),
    ],
    events: [
      event(11, PREPARE, 'recovered'),
      event(12, PREPARE, 'recovered'),
      event(21, CHARGE, 'retried', { attempt: 1 }),
      event(35, REFUND, 'taskSkipped', { reason: 'rule' }),
    ],
  };
}

const NOT_BEGUN = { pending: 1, token: 0, generation: 1, startedAt: null, completedAt: null };

/** Cancelled while `charge` ran, retried, paused, resumed, and running again. */
function retried(): History {
  return {
    workflow,
    execution: {
      ...execution,
      status: 'Running',
      generation: 1,
      remainingLeaves: 2,
      completedAt: null,
    },
    tasks: [
      task(PREPARE, 'Completed'),
      task(CHARGE, 'Running', { token: 3, generation: 1, startedAt: 55 }),
      task(REFUND, 'NotStarted', {
        ...NOT_BEGUN,
      }),
      task(SHIP, 'NotStarted', {
        ...NOT_BEGUN,
      }),
    ],
    events: [
      event(40, null, 'cancelled'),
      event(50, CHARGE, 'reset', { was: 'Cancelled', wasCompletedAt: 40 }),
      event(50.1, REFUND, 'reset', { was: 'Cancelled', wasCompletedAt: 40 }),
      event(50.2, SHIP, 'reset', { was: 'Cancelled', wasCompletedAt: 40 }),
      event(50.3, null, 'executionRetried', { tasks: 3 }),
      event(56, null, 'paused'),
      event(57, null, 'resumed'),
    ],
  };
}

type Change = (history: History) => History;
const withExecution =
  (change: Partial<ExecutionFacts>): Change =>
  (history) => ({ ...history, execution: { ...history.execution, ...change } });
const withTask =
  (no: number, change: Partial<TaskFacts>): Change =>
  (history) => ({
    ...history,
    tasks: history.tasks.map((row) => (row.no === no ? { ...row, ...change } : row)),
  });
const withEvents =
  (...more: EventFacts[]): Change =>
  (history) => ({
    ...history,
    events: [...history.events, ...more].sort((a, b) => a.at - b.at),
  });
const without =
  (kind: string): Change =>
  (history) => ({ ...history, events: history.events.filter((one) => one.kind !== kind) });

const ILLEGAL: [string, () => History, Change, RegExp][] = [
  ['an outcome that is recorded twice', completed, withEvents(event(60, CHARGE, 'taskFailed')), /charge: Completed, though the log leaves it Failed/], // prettier-ignore
  ['a retry after the end', completed, withEvents(event(36, REFUND, 'retried', { attempt: 1 })), /it was Skipped and can't become Running/], // prettier-ignore
  ['a recovery after the end', completed, withEvents(event(36, REFUND, 'recovered')), /it was Skipped/], // prettier-ignore
  ['an attempt that is not told of', completed, without('retried'), /attempt 1 in the row, 0 by the log/], // prettier-ignore
  ['an attempt out of order', completed, withEvents(event(23, CHARGE, 'retried', { attempt: 3 })), /attempt 3 follows 1/], // prettier-ignore
  ['an attempt charged that the log has not', completed, withTask(CHARGE, { attempt: 2 }), /attempt 2 in the row/], // prettier-ignore
  ['an attempt too many', completed, withTask(CHARGE, { attempt: 4 }), /4 attempts/],
  ['attempts that overlap', completed, withTask(CHARGE, { startedAt: 20 }), /began before its last attempt/], // prettier-ignore
  ['an attempt that is not kept', completed, withTask(CHARGE, { attempts: [] }), /keeps the attempts/], // prettier-ignore
  ['a skip that is not told of', completed, without('taskSkipped'), /Skipped, though the log leaves it NotStarted/], // prettier-ignore
  ['a skip for another reason', completed, withTask(REFUND, { skipReason: 'upstreamFailure' }), /skipped for upstreamFailure/], // prettier-ignore
  ['a skip of what should have run', completed, withTask(SHIP, { status: 'Skipped', skipReason: 'rule' }), /against its rule/], // prettier-ignore
  ['a recovery that is not told of', completed, without('recovered'), /2 recoveries in the row, 0 told of/], // prettier-ignore
  ['a recovery that is not charged', completed, withTask(PREPARE, { recoveryAttempts: 0 }), /0 recoveries in the row/], // prettier-ignore
  ['a token below its claims', completed, withTask(CHARGE, { token: 2 }), /token 2, though claimed 2 times/], // prettier-ignore
  ['a claim that was left without a new token', completed, withTask(SHIP, { token: 3 }), /Completed, and token 3/], // prettier-ignore
  ['a claim that outlives its end', completed, withTask(SHIP, { isOwned: true }), /Completed, and owned/], // prettier-ignore
  ['a begin before the dependencies ended', completed, withTask(SHIP, { startedAt: 24 }), /began before its dependencies had ended/], // prettier-ignore
  ['a first attempt before the dependencies ended', completed, withTask(CHARGE, { attempts: [{ attempt: 1, startedAt: 14, completedAt: 21 }] }), /began before its dependencies/], // prettier-ignore
  ['a dependency counted twice', completed, withTask(SHIP, { pending: -1 }), /counts -1 open, not 0/], // prettier-ignore
  ['a failure counted that was none', completed, withTask(SHIP, { unmet: 1 }), /counts 1 unmet/],
  ['a leaf counted twice', completed, withExecution({ remainingLeaves: -1 }), /-1 leaves remain/],
  ['a failure of the execution that was none', completed, withExecution({ status: 'Failed' }), /Failed, though the log leaves it Pending/], // prettier-ignore
  ['an end against the tasks', completed, withEvents(event(91, null, 'failed')), /the row says Completed: it was Failed/], // prettier-ignore
  ['two ends', completed, withEvents(event(80, null, 'failed'), event(81, null, 'cancelled')), /cancelled: it was Failed/], // prettier-ignore
  ['a pause after the end', completed, withEvents(event(80, null, 'failed'), event(81, null, 'paused')), /paused: it was Failed/], // prettier-ignore
  ['a resume without a pause', completed, withEvents(event(80, null, 'resumed')), /resumed: it was Pending/], // prettier-ignore
  ['an end with a task that runs', completed, withTask(SHIP, { status: 'Running', token: 3, isOwned: true, completedAt: null }), /Completed with its tasks otherwise/], // prettier-ignore
  ['a task that ends after the execution', completed, withTask(SHIP, { completedAt: 91 }), /an end after the execution's/], // prettier-ignore
  ['an event of another kind', completed, withEvents(event(80, SHIP, 'exploded')), /an event that tasks don't have/], // prettier-ignore
  ['an event of no task', completed, withEvents(event(80, 9, 'retried')), /retried of no task/],
  ['an event before the start', completed, withEvents(event(0, null, 'paused')), /paused before the start/], // prettier-ignore
  ['a task that is missing', completed, (history) => ({ ...history, tasks: history.tasks.slice(1) }), /3 rows for 4 tasks/], // prettier-ignore
  ['a retry that resets more than it says', retried, withEvents(event(50.25, PREPARE, 'reset', { was: 'Completed' })), /4 tasks were reset, 3 announced/], // prettier-ignore
  ['a reset of what had not ended', retried, withEvents(event(58, CHARGE, 'reset', { was: 'Running' })), /reset while Running/], // prettier-ignore
  ['a reset from another end', retried, withEvents(event(49, PREPARE, 'reset', { was: 'Failed' })), /prepare: Failed, though the log leaves it Cancelled/], // prettier-ignore
  ['a success after the cancel', retried, withTask(PREPARE, { completedAt: 41 }), /Completed after it was cancelled/], // prettier-ignore
  ['a retry of what had not ended', retried, without('cancelled'), /charge: Cancelled, though the log leaves it NotStarted/], // prettier-ignore
  ['a pause that holds nothing', retried, withExecution({ status: 'Paused' }), /Paused, though the log leaves it Running/], // prettier-ignore
  ['a hold without a pause', retried, withTask(SHIP, { paused: true }), /NotStarted, and paused/],
  ['a task that nobody will claim', retried, withTask(CHARGE, { status: 'Ready', token: 2, isOwned: false }), /Ready, and never due/], // prettier-ignore
  ['a task that waits for nothing', retried, withTask(SHIP, { pending: 0 }), /nothing to wait for/],
  ['an execution that counts another generation', retried, withExecution({ generation: 2 }), /generation 2, 1 by the log/], // prettier-ignore
];

describe('The check of histories', () => {
  it.each([completed, retried])('finds nothing wrong with %p', (history) => {
    expect(illegalitiesOf(history())).toEqual([]);
  });

  it.each(ILLEGAL)('finds %s', (_, history, change, sentence) => {
    expect(illegalitiesOf(change(history())).join('\n')).toMatch(sentence);
  });

  it('finds more recoveries than are allowed', () => {
    expect(illegalitiesOf(completed(), { maxRecoveryAttempts: 2 })).toEqual([]);
    expect(illegalitiesOf(completed(), { maxRecoveryAttempts: 1 }).join()).toMatch(
      /2 recoveries, of 1 at most/,
    );
  });
});
