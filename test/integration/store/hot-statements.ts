import { nextBatch, nextNo } from './claim-numbers.js';
import { randomUUID } from 'node:crypto';
import {
  claimTasks,
  claimTasksPastLocks,
  claimValues,
} from '../../../lib/store/postgres/statements/claim-tasks.js';
import {
  completePlainTasks,
  completePlainTimedTasks,
  completeTasks,
  completeTimedTasks,
} from '../../../lib/store/postgres/statements/complete-tasks.js';
import { completionValues } from '../../../lib/store/postgres/statements/completion-values.js';
import {
  cancelExecution,
  pauseExecution,
  resumeExecution,
} from '../../../lib/store/postgres/statements/control-execution.js';
import {
  lockForReset,
  resetExecutions,
  resetValues,
} from '../../../lib/store/postgres/statements/reset-execution.js';
import {
  awaitExecution,
  awaitUnlockedExecutions,
  findByKeys,
  readExecutions,
  readStatuses,
  writeFinalContext,
} from '../../../lib/store/postgres/statements/execution-rows.js';
import { lockForResets } from '../../../lib/store/postgres/statements/lock-for-resets.js';
import { readDetails } from '../../../lib/store/postgres/statements/read-details.js';
import { forgetBatches } from '../../../lib/store/postgres/statements/claim-batch.js';
import { beginSuspect } from '../../../lib/store/postgres/statements/begin-suspect.js';
import { takeOrphans, takeOrphansValues } from '../../../lib/store/postgres/statements/recovery.js';
import {
  listBlocked,
  listStranded,
} from '../../../lib/store/postgres/statements/tasks-without-handler.js';
import { readClaims } from '../../../lib/store/postgres/statements/leases.js';
import { readInputs, readOutcomes } from '../../../lib/store/postgres/statements/read-outcomes.js';
import {
  rescheduleTasks,
  rescheduleValues,
} from '../../../lib/store/postgres/statements/reschedule-tasks.js';
import { startStatement } from '../../../lib/store/postgres/statements/start-executions.js';
import { recordSteps, recordValues } from '../../../lib/store/postgres/statements/record-steps.js';
import {
  relistClaims,
  relistValues,
} from '../../../lib/store/postgres/statements/relist-claims.js';
import {
  attachChildren,
  attachmentValues,
} from '../../../lib/store/postgres/statements/attach-children.js';
import { readChildEnds } from '../../../lib/store/postgres/statements/child-reads.js';
import { controlExecutions } from '../../../lib/store/postgres/statements/control-executions.js';
import { deleteExecutions } from '../../../lib/store/postgres/statements/delete-executions.js';
import { childrenEnded } from '../../../lib/store/postgres/statements/children-ended.js';
import { endChildren } from '../../../lib/store/postgres/statements/end-children.js';
import { plainArray } from '../../../lib/store/postgres/statements/encoding.js';
import {
  childrenValues,
  startChildren,
  startKeyedChild,
} from '../../../lib/store/postgres/statements/start-children.js';
import { tellParents } from '../../../lib/store/postgres/statements/tell-parents.js';
import {
  deliverMessages,
  deliverSentMessages,
  deliveryValues,
} from '../../../lib/store/postgres/statements/deliver-messages.js';
import {
  sendMessages,
  sendMessagesWithin,
  sendValues,
} from '../../../lib/store/postgres/statements/send-messages.js';
import { sendSignals, signalValues } from '../../../lib/store/postgres/statements/send-signals.js';
import { wakeClaimValues } from '../../../lib/store/postgres/statements/wake-and-claim.js';
import { takeMessages, takeValues } from '../../../lib/store/postgres/statements/take-messages.js';
import { clearProgress } from '../../../lib/store/postgres/statements/clear-progress.js';
import {
  progressValues,
  writeProgress,
} from '../../../lib/store/postgres/statements/write-progress.js';
import { wakeTasks } from '../../../lib/store/postgres/statements/wake-tasks.js';
import { taskKeyValues, type Statement } from '../../../lib/store/postgres/statements/statement.js';
import {
  claimLimited,
  claimLimitedPastLocks,
  claimLimitedStrictly,
  claimLimitedStrictlyPastLocks,
} from '../../../lib/store/postgres/statements/claim-limited.js';
import {
  claimLimitedItems,
  claimLimitedItemsPastLocks,
} from '../../../lib/store/postgres/statements/claim-limited-items.js';
import { ageTasks, ageValues } from '../../../lib/store/postgres/statements/queues.js';
import { readDueKeys } from '../../../lib/store/postgres/statements/limit-keys.js';
import {
  itemValues,
  limitedValues,
  strictValues,
} from '../../../lib/store/postgres/statements/limited-rows.js';
import { joinLimitKeys, limitKeyOf, type CheckedNumbers } from '../../../lib/workflow/limit.js';
import { mapLimitKey } from '../../../lib/workflow/map-limit.js';
import {
  timeOutExecutions,
  timeOutValues,
} from '../../../lib/store/postgres/statements/time-outs.js';
import {
  fanIn,
  newClaimant,
  noLease,
  outcomeOf,
  rescheduleOf,
  startOf,
} from '../../conformance/workflows.js';
import { FIRST_TOKEN, type ChildStart, type ResetTask } from '../../../lib/store/port/index.js';

const TASK_KEY = /^cloacina_task_execution_pkey .*execution_id = .*task_no = .*item_no = /;
const TASKS_OF_EXECUTION = /^cloacina_task_execution_pkey .*execution_id = /;
const EXECUTION_KEY = /^cloacina_workflow_execution_pkey .*id = /;
const EXECUTION_IDEMPOTENCY =
  /^cloacina_workflow_execution_idempotency_idx .*workflow = .*idempotency_key = /;
const EXECUTION_OR_CHILDREN =
  /^cloacina_workflow_execution_(pkey .*id = |parent_idx .*parent_execution_id(, id\) >| = ))/;
const READY = /^cloacina_task_execution_ready_idx .*definition_id = /;

const LIMITED = /^cloacina_task_execution_limited_idx .*limit_key [=>] /;
/** The holders of slots by key, and the tasks that wait for one. */
const LIMITED_OR_KEY = new RegExp(`${TASK_KEY.source}|${LIMITED.source}`);

/** A few due tasks, and by a loose scan the keys of tasks. */
const LIMITED_OR_DUE =
  /^cloacina_task_execution_limited_(idx .*limit_key [=>] |due_idx .*run_at <= )/;

/** The tasks that have been due for long, level by level, and those with a limit of each definition. */
const AGING_OR_KEY = new RegExp(
  `${TASK_KEY.source}|^cloacina_task_execution_(ready_idx .*definition_id = .*priority = .*run_at <= |limited_definition_idx .*definition_id = .*run_at <= )`,
);

/** The due tasks, and by a loose scan those with a limit of each definition. */
const WITHOUT_HANDLER =
  /^cloacina_task_execution_((due|ready)_idx .*run_at <= |limited_definition_idx (whole$|.*definition_id [=>] ))/;

/** A statement, and how it may find its rows. */
export interface Hot {
  readonly statement: Statement;
  /** For a batch of these executions, whose tasks 0 and 1 run. */
  readonly values: (ids: readonly string[]) => unknown[];
  /** Whether its work is that of its batch; default true. */
  readonly batched?: boolean;
  /** How rows of the two large tables may be found; undefined: not at all. */
  readonly tasks?: RegExp;
  readonly executions?: RegExp;
}

/** The parameters of statements that wake tasks, which may claim each of them. */
const wakeClaims = (room: number): readonly unknown[] =>
  wakeClaimValues(
    { lease: { claimant, write: true }, room, definitions: ['1', '2'], unknown: [['1', 1]] },
    nextNo(),
  );

/** The workflow that their batches are of. */
export const join = fanIn(2);
export const claimant = newClaimant();

const completions = (ids: readonly string[]): unknown[] =>
  completionValues(
    ids
      .toSorted()
      .flatMap((id) => [
        outcomeOf(join, id, 0, { status: 'Failed', detail: { error: {}, events: [] } }),
        outcomeOf(join, id, 1, { handles: [0], output: '{}' }),
      ]),
    claimant,
    true,
    nextBatch(),
  );

const plainCompletions = (ids: readonly string[]): unknown[] => {
  const outcomes = ids.toSorted().flatMap((id) => [outcomeOf(join, id, 0), outcomeOf(join, id, 1)]);
  return completionValues(outcomes, claimant, true, nextBatch(), true);
};
/** A child of the execution's task 0. */
function childOf(executionId: string): ChildStart {
  return {
    item: startOf(join),
    parent: { executionId, taskNo: 0, itemNo: 0, token: FIRST_TOKEN, step: 'child', waits: true },
    onParentEnd: 'cancel',
    inheritsTags: true,
    inheritsPriority: true,
  };
}

/** Of the executions that their timeout has ended. */
const overdue = (ids: readonly string[]): unknown[] =>
  timeOutValues(
    ids.map((id) => ({ id, workflow: 'test', timeoutMs: 1, deadlineAt: '', hasBegun: true })),
    () => '{}',
    'schema',
  );

const YES_AND_NO = [true, false];
/** Every variant of the start. */
const STARTS = YES_AND_NO.flatMap((keyed) =>
  YES_AND_NO.flatMap((tagged) =>
    YES_AND_NO.flatMap((hasWaiters) =>
      (keyed ? [100, undefined] : [undefined]).map((lockTimeoutMs): Hot => {
        const [statement] = startsOf(['']);
        return { statement, values: (ids) => startsOf(ids)[1] };

        function startsOf(ids: readonly string[]) {
          const tags = tagged ? '{"a":"b"}' : null;
          const items = ids.map(() =>
            startOf(join, { idempotencyKey: randomUUID(), tags, hasWaiters }),
          );
          return startStatement(items, { claimant, write: true }, nextNo(), {
            keyed,
            lockTimeoutMs,
          });
        }
      }),
    ),
  ),
);

/** A claim for a key of each execution. */
const limited = (ids: readonly string[]): unknown[] =>
  limitedValues(...limitedArguments(ids, { concurrency: 3 }));
const strict = (ids: readonly string[]): unknown[] =>
  strictValues(...limitedArguments(ids, { concurrency: 1, isStrict: true }));

const items = (ids: readonly string[]): unknown[] => {
  const [keys, ...more] = limitedArguments(ids, { concurrency: 3 });
  const joined = keys.map(({ limitKey, numbers }, i) => ({
    limitKey: joinLimitKeys(
      limitKey,
      mapLimitKey({ definitionId: '1', executionId: ids[i]!, taskNo: 0 }),
    ),
    numbers,
    mapConcurrency: 3,
  }));
  return itemValues(joined, ...more);
};

function limitedArguments(ids: readonly string[], numbers: CheckedNumbers) {
  return [
    ids.map((id) => ({ limitKey: limitKeyOf('limit', id), numbers })),
    10,
    { definitions: ['1'], unknown: [] },
    { claimant, write: true },
    nextNo(),
  ] as const;
}

export const HOT: readonly Hot[] = [
  {
    statement: claimLimited,
    values: limited,
    tasks: LIMITED_OR_KEY,
    executions: EXECUTION_KEY,
  },
  {
    statement: claimLimitedPastLocks,
    values: limited,
    tasks: LIMITED_OR_KEY,
    executions: EXECUTION_KEY,
  },
  {
    statement: claimLimitedItems,
    values: items,
    tasks: LIMITED_OR_KEY,
    executions: EXECUTION_KEY,
  },
  {
    statement: claimLimitedItemsPastLocks,
    values: items,
    tasks: LIMITED_OR_KEY,
    executions: EXECUTION_KEY,
  },
  {
    statement: claimLimitedStrictly,
    values: strict,
    tasks: LIMITED_OR_KEY,
    executions: EXECUTION_KEY,
  },
  {
    statement: claimLimitedStrictlyPastLocks,
    values: strict,
    tasks: LIMITED_OR_KEY,
    executions: EXECUTION_KEY,
  },
  {
    statement: ageTasks,
    values: () => ageValues([{ id: '1', agingMs: 1, priorities: [0, 0] }], 'schema'),
    batched: false,
    tasks: AGING_OR_KEY,
    executions: EXECUTION_KEY,
  },
  {
    statement: readDueKeys,
    values: () => ['{1}', '', 10, true],
    batched: false,
    tasks: LIMITED_OR_DUE,
  },
  { statement: completeTasks, values: completions, tasks: TASK_KEY, executions: EXECUTION_KEY },
  {
    statement: completeTimedTasks,
    values: completions,
    tasks: TASK_KEY,
    executions: EXECUTION_KEY,
  },
  {
    statement: completePlainTasks,
    values: plainCompletions,
    tasks: TASK_KEY,
    executions: EXECUTION_KEY,
  },
  {
    statement: completePlainTimedTasks,
    values: plainCompletions,
    tasks: TASK_KEY,
    executions: EXECUTION_KEY,
  },
  {
    statement: rescheduleTasks,
    values: (ids) => rescheduleValues(ids.toSorted().map((id) => rescheduleOf('retry', id, 0))),
    tasks: TASK_KEY,
  },
  {
    statement: startChildren,
    values: (ids) => childrenValues(ids.toSorted().map(childOf), noLease(claimant), nextNo()),
    tasks: TASK_KEY,
    executions: EXECUTION_KEY,
  },
  {
    statement: startKeyedChild,
    values: ([id]) => [...childrenValues([childOf(id!)], noLease(claimant), nextNo()), 1_000],
    batched: false,
    tasks: TASK_KEY,
    executions: EXECUTION_KEY,
  },
  {
    statement: attachChildren,
    values: (ids) =>
      attachmentValues(ids.toSorted().map((id) => ({ parent: childOf(id).parent, childId: id }))),
    tasks: TASK_KEY,
    executions: EXECUTION_KEY,
  },
  {
    statement: tellParents,
    values: (ids) => [...wakeClaims(ids.length), plainArray(ids), 'true'],
    tasks: new RegExp(`${TASK_KEY.source}|${TASKS_OF_EXECUTION.source}`),
    executions: EXECUTION_KEY,
  },
  {
    statement: endChildren,
    values: ([id]) => [id, 'gone', null],
    batched: false,
    tasks: TASKS_OF_EXECUTION,
    executions: EXECUTION_OR_CHILDREN,
  },
  ...Object.values(controlExecutions).map((statement): Hot => ({
    statement,
    values: (ids) => [plainArray(ids), 'all', null],
    tasks: new RegExp(`${TASK_KEY.source}|${TASKS_OF_EXECUTION.source}`),
    executions: EXECUTION_KEY,
  })),
  {
    statement: deleteExecutions,
    values: (ids) => [plainArray(ids)],
    tasks: TASKS_OF_EXECUTION,
    executions: EXECUTION_OR_CHILDREN,
  },
  {
    statement: childrenEnded,
    values: (ids) => [plainArray(ids)],
    executions: EXECUTION_OR_CHILDREN,
  },
  {
    statement: readChildEnds,
    values: (ids) => [plainArray(ids)],
    executions: EXECUTION_KEY,
  },
  {
    statement: recordSteps,
    values: (ids) =>
      recordValues(
        ids.toSorted().map((executionId) => ({
          executionId,
          taskNo: 0,
          itemNo: 0,
          token: FIRST_TOKEN,
          name: 'step',
          kind: 'step',
          status: 'Done',
          result: '1',
          error: null,
          childId: null,
          listensFor: null,
          due: null,
        })),
      ),
    tasks: TASK_KEY,
  },
  {
    statement: writeProgress,
    values: (ids) =>
      progressValues(
        ids
          .toSorted()
          .map((executionId) => ({ executionId, taskNo: 0, itemNo: 0, token: 2, value: '1' })),
      ),
    tasks: TASK_KEY,
  },
  {
    statement: clearProgress,
    values: (ids) =>
      taskKeyValues(ids.map((executionId) => ({ executionId, taskNo: 0, itemNo: 0 }))),
    tasks: TASK_KEY,
  },
  {
    statement: wakeTasks,
    values: (ids) =>
      taskKeyValues(ids.map((executionId) => ({ executionId, taskNo: 0, itemNo: 0 }))),
    tasks: TASK_KEY,
  },
  ...[sendMessages, sendMessagesWithin].map((statement): Hot => ({
    statement,
    values: (ids) => [
      ...sendValues(
        ids.map((id) => ({
          kind: 'signal',
          to: { id },
          name: 'go',
          payload: '1',
          idempotencyKey: randomUUID(),
        })),
      ),
      ...(statement === sendMessagesWithin ? [100] : []),
    ],
    executions: new RegExp(`${EXECUTION_KEY.source}|${EXECUTION_IDEMPOTENCY.source}`),
  })),
  {
    statement: deliverSentMessages,
    values: () => [...wakeClaims(3), ...deliveryValues(500, ['1', '2', '3'])],
    batched: false,
    tasks: TASK_KEY,
    executions: EXECUTION_KEY,
  },
  {
    statement: deliverMessages,
    values: () => [...wakeClaims(3), ...deliveryValues(500)],
    batched: false,
    tasks: TASK_KEY,
    executions: EXECUTION_KEY,
  },
  {
    statement: sendSignals,
    values: (ids) => [
      ...wakeClaims(ids.length),
      ...signalValues(
        ids.map((id) => ({
          kind: 'signal',
          to: { id },
          name: 'go',
          payload: '1',
          idempotencyKey: randomUUID(),
        })),
      ),
    ],
    tasks: TASK_KEY,
    executions: new RegExp(`${EXECUTION_KEY.source}|${EXECUTION_IDEMPOTENCY.source}`),
  },
  {
    statement: takeMessages,
    values: (ids) =>
      takeValues(
        ids.toSorted().map((executionId) => ({
          executionId,
          taskNo: 0,
          itemNo: 0,
          token: FIRST_TOKEN,
          step: 'wait',
          listens: [{ label: null, name: 'go', key: null, lookbackMs: null }],
        })),
      ),
    tasks: TASK_KEY,
    executions: EXECUTION_KEY,
  },
  {
    statement: claimTasks,
    values: (ids) => claimValues(['1', '2'], [['1', 1]], ids.length, claimant, true, nextNo()),
    tasks: new RegExp(`${READY.source}|${TASK_KEY.source}`),
    executions: EXECUTION_KEY,
  },
  {
    statement: claimTasksPastLocks,
    values: (ids) => claimValues(['1', '2'], [['1', 1]], ids.length, claimant, true, nextNo()),
    tasks: new RegExp(`${READY.source}|${TASK_KEY.source}`),
    executions: EXECUTION_KEY,
  },
  ...STARTS,
  {
    statement: readOutcomes,
    values: (ids) =>
      taskKeyValues(ids.map((executionId) => ({ executionId, taskNo: 0, itemNo: 0 }))),
    tasks: TASK_KEY,
  },
  {
    statement: timeOutExecutions,
    values: overdue,
    tasks: TASKS_OF_EXECUTION,
    executions: EXECUTION_KEY,
  },
  { statement: readInputs, values: (ids) => [`{${ids.join()}}`], executions: EXECUTION_KEY },
  { statement: readExecutions, values: (ids) => [`{${ids.join()}}`], executions: EXECUTION_KEY },
  { statement: readStatuses, values: (ids) => [`{${ids.join()}}`], executions: EXECUTION_KEY },
  {
    statement: readDetails,
    values: (ids) => [`{${ids.join()}}`, true, 2],
    tasks: TASKS_OF_EXECUTION,
    executions: EXECUTION_KEY,
  },
  { statement: awaitExecution, values: ([id]) => [id], executions: EXECUTION_KEY, batched: false },
  {
    statement: awaitUnlockedExecutions,
    values: (ids) => [`{${ids.join()}}`],
    executions: EXECUTION_KEY,
  },
  {
    statement: writeFinalContext,
    values: ([id]) => [id, '{}', 0],
    executions: EXECUTION_KEY,
    batched: false,
  },
  {
    statement: findByKeys,
    values: (ids) => [JSON.stringify(ids.map(() => 'test')), JSON.stringify(ids)],
    executions: EXECUTION_IDEMPOTENCY,
  },
  {
    statement: readClaims,
    values: () => [claimant.instanceId],
    batched: false,
    tasks: TASK_KEY,
  },
];

/** Of a recovery, which a burst of work may follow or precede. */
export const RECOVERY: readonly Hot[] = [
  {
    statement: takeOrphans,
    values: () =>
      takeOrphansValues(
        claimant.instanceId,
        { limit: 500, maxRecoveryAttempts: 3, cause: 'lockGone', orphanedForMs: 0 },
        newClaimant(),
        true,
        nextNo(),
      ),
    tasks: TASK_KEY,
  },
  {
    statement: relistClaims,
    values: () => relistValues(undefined),
    tasks: TASKS_OF_EXECUTION,
    executions: /^cloacina_workflow_execution_status_idx .*status = .*created_at >= /,
  },
  { statement: forgetBatches, values: () => [claimant.instanceId], tasks: TASK_KEY },
  { statement: beginSuspect, values: ([id]) => [id, 0, 0, FIRST_TOKEN], tasks: TASK_KEY },
  {
    statement: listBlocked,
    values: () => ['{1}', '{1}', '{0}'],
    tasks: WITHOUT_HANDLER,
  },
  {
    statement: listStranded,
    values: () => ['{1}', '{1}', '{0}'],
    tasks: WITHOUT_HANDLER,
  },
];

/** What a manual retry resets of each execution. */
const RESET: readonly ResetTask[] = [
  { taskNo: 0, pendingDependencies: 0, unmetDependencies: 0, keepsSteps: true },
];

/** These run with the settings of the other pool. */
export const CONTROLS: readonly Hot[] = (
  [
    [cancelExecution, ([id]) => [id, null, null]],
    [pauseExecution, ([id]) => [id, null, null]],
    [resumeExecution, ([id]) => [id, null]],
    [lockForReset, ([id]) => [id]],
    [lockForResets, (ids) => [plainArray(ids)]],
    [resetExecutions, (ids) => resetValues(ids.map((id) => ({ id, tasks: RESET, leaves: 1 })))],
  ] satisfies [Statement, Hot['values']][]
).map(([statement, values]) => ({
  statement,
  values,
  tasks: TASKS_OF_EXECUTION,
  executions: EXECUTION_OR_CHILDREN,
}));
