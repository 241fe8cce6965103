import { describe, expect, it } from '@jest/globals';
import {
  makeRunnable,
  type RunnableDefinition,
} from '../../../lib/engine/definitions/runnable-definition.js';
import type { HungHandler } from '../../../lib/engine/execution/hung-handlers.js';
import type { TaskWaiting } from '../../../lib/runner/execution.js';
import { viewExecution } from '../../../lib/runner/execution-view.js';
import type { LimitState } from '../../../lib/runner/limit-state.js';
import type { TurnState } from '../../../lib/runner/turn-reader.js';
import { joinLimitKeys, limitKeyOf } from '../../../lib/workflow/limit.js';
import type {
  ExecutionRow,
  OpenWait,
  TaskRow,
  WorkflowPause,
} from '../../../lib/store/port/index.js';
import type { TaskSource } from '../../../lib/workflow/definition.js';
import { compiled } from '../workflow/some-workflows.js';

const ID = '01890000-0000-7000-8000-000000000000';
const EXECUTION: ExecutionRow = {
  id: ID,
  workflow: 'waits',
  definitionId: '1',
  status: 'Running',
  input: '{}',
  context: null,
  error: null,
  reason: null,
  idempotencyKey: null,
  tags: null,
  createdAt: new Date(0),
  startedAt: null,
  completedAt: null,
  parentId: null,
  parentStep: null,
  rootId: null,
  startBefore: null,
  turn: null,
};
const PAUSE: WorkflowPause = {
  workflow: 'waits',
  reason: 'down',
  pausedAt: new Date('2020-01-01T00:00:00Z'),
};
const SEEN = {
  hung: [],
  now: 0,
  limits: new Map(),
  pauseOf: () => undefined,
  turns: new Map(),
};
const READY: TaskRow = {
  executionId: ID,
  taskNo: 0,
  itemNo: 0,
  status: 'Ready',
  pendingDependencies: 0,
  unmetDependencies: 0,
  itemCount: null,
  attempt: 0,
  recoveryAttempts: 0,
  owner: null,
  paused: false,
  failureHandled: false,
  runAt: new Date(0),
  deferred: false,
  skipReason: null,
  output: null,
  deletedKeys: [],
  error: null,
  attempts: null,
  startedAt: null,
  completedAt: null,
  limitKey: null,
  isOrphaned: false,
  wait: null,
  progress: null,
  steps: [],
};
const HUNG: HungHandler = {
  executionId: ID,
  taskNo: 0,
  itemNo: 0,
  taskName: 'first',
  workflow: 'waits',
  ignoredForMs: 7_000,
  keepsSlot: true,
};
const LIMIT_KEY = limitKeyOf('stripe', 'acct_17');
const FULL: LimitState = {
  name: 'stripe',
  key: 'acct_17',
  inUse: 4,
  concurrency: 4,
  weight: 1,
  waiting: 9,
  holders: ['a', 'b', 'c', 'd'].map((executionId) => ({ executionId, task: 'first' })),
};
const TURN_KEY = limitKeyOf('admission\u001ewaits', 'acct_17');
const TAKEN: TurnState = {
  workflow: 'waits',
  key: 'acct_17',
  concurrency: 1,
  holders: ['a'],
  waiting: 3,
};
const NEXT_CENTURY = new Date('2100-01-01T00:00:00Z');

interface Scene {
  readonly row?: Partial<TaskRow>;
  readonly hung?: readonly HungHandler[];
  readonly hasHandler?: boolean;
  /** Until when the execution waits for its turn, and how the state of its key differs from {@link TAKEN}. */
  readonly turn?: Partial<TurnState> & { readonly at?: Date };
  /** How the state of the limit differs from {@link FULL}. */
  readonly limit?: Partial<LimitState>;
  readonly pause?: WorkflowPause;
  readonly detail: string;
}

/** The facts of a wait that are shown beside the sentence. */
function shownWait(wait: OpenWait | null | undefined): object {
  if (!wait) return {};
  const { name, since, until } = wait;
  return { wait: name, since, ...(until === null ? {} : { until }) };
}

function waiting(kind: OpenWait['kind'], more: Partial<OpenWait> = {}): Partial<TaskRow> {
  const since = new Date('2020-01-01T00:00:00Z');
  const wait = { name: 'pause', kind, since, until: null, eventName: null, childId: null, ...more };
  return { status: 'Waiting', runAt: wait.until, wait };
}

/** Each reason that the type names, so that a new one fails to compile until it has a scene. */
const SCENES: Record<TaskWaiting['reason'], readonly Scene[]> = {
  dependencies: [{ row: { taskNo: 1, status: 'NotStarted' }, detail: 'It waits for first.' }],
  time: [
    { row: { runAt: NEXT_CENTURY }, detail: 'It is due at 2100-01-01' },
    { row: { runAt: NEXT_CENTURY, attempt: 1 }, detail: 'Its next attempt is due at' },
    { row: { runAt: null }, turn: { at: NEXT_CENTURY }, detail: 'It is due at 2100-01-01' },
  ],
  condition: [
    {
      row: { runAt: NEXT_CENTURY, deferred: true },
      detail: 'was false; it is checked again at 2100-01-01',
    },
  ],
  sleep: [
    { row: waiting('sleep'), detail: 'Task "first" has been sleeping ("pause") since 2020-01-01' },
    { row: waiting('sleep', { until: NEXT_CENTURY }), detail: 'until 2100-01-01' },
  ],
  signal: [
    {
      row: waiting('signal', { eventName: 'approval' }),
      detail: 'Task "first" has been waiting for the signal "approval" ("pause") since 2020-01-01',
    },
    {
      row: waiting('signal', { eventName: 'pause' }),
      detail: 'waiting for the signal "pause" since 2020-01-01',
    },
  ],
  event: [
    {
      row: waiting('event', { eventName: 'paid' }),
      detail: 'has been waiting for the event "paid"',
    },
  ],
  child: [{ row: waiting('child', { childId: 'c' }), detail: 'the child c' }],
  items: [{ row: { status: 'Waiting', runAt: null }, detail: 'waits for its items' }],
  slot: [
    { row: { status: 'Waiting' }, detail: 'waits for a process with a free slot.' },
    { detail: 'waits for a process with a free slot.' },
    {
      hung: [{ ...HUNG, taskNo: 1 }],
      detail: 'Handlers that ignore their signals and keep slots of this process: 1.',
    },
    {
      hung: [{ ...HUNG, executionId: 'another' }],
      detail: 'Handlers that ignore their signals and keep slots of this process: 1.',
    },
    { hung: [{ ...HUNG, keepsSlot: false }], detail: 'waits for a process with a free slot.' },
    // It holds the slot of its strict key between two runs.
    {
      row: { limitKey: LIMIT_KEY },
      limit: { inUse: 1, concurrency: 1, holders: [{ executionId: ID, task: 'first' }] },
      detail: 'waits for a process with a free slot.',
    },
  ],
  limit: [
    {
      row: { limitKey: LIMIT_KEY },
      detail: 'It waits for limit "stripe" of "acct_17": 4 of 4, held by a, b, c and 1 more.',
    },
    {
      row: { limitKey: LIMIT_KEY },
      limit: { inUse: 0, concurrency: 0, holders: [] },
      detail: ': 0 of 0.',
    },
    {
      row: { limitKey: LIMIT_KEY },
      limit: { inUse: 1, total: 9, totalInUse: 9, totalHolders: FULL.holders },
      detail: '"acct_17": 9 of 9 in all keys of the limit run, held by a, b, c and 6 more.',
    },
    {
      row: { limitKey: LIMIT_KEY },
      limit: { inUse: 1, total: 0, totalInUse: 0, totalHolders: [] },
      detail: 'of "acct_17": 0 of 0 in all keys of the limit.',
    },
    {
      row: { limitKey: joinLimitKeys(LIMIT_KEY, 'map\u001e1\u001e0\u001fx') },
      detail: 'It waits for limit "stripe" of "acct_17": 4 of 4, held by a, b, c and 1 more.',
    },
    {
      row: { limitKey: LIMIT_KEY },
      limit: { inUse: 1, nextAt: NEXT_CENTURY },
      detail: 'its rate allows the next task at 2100-01-01',
    },
  ],
  turn: [
    {
      row: { runAt: null },
      turn: {},
      detail:
        'for its turn of workflow "waits" for "acct_17": 1 of 1 run, held by a. 3 executions wait.',
    },
    {
      row: { runAt: null },
      turn: { holders: [], nextAt: NEXT_CENTURY },
      detail: 'its rate allows the next execution at 2100-01-01',
    },
  ],
  paused: [{ row: { paused: true, runAt: NEXT_CENTURY }, detail: 'The execution is paused.' }],
  workflowPaused: [
    {
      pause: PAUSE,
      detail: 'Workflow "waits" has been paused since 2020-01-01T00:00:00.000Z: down.',
    },
  ],
  handler: [{ hasHandler: false, detail: 'no handler for task "first" of workflow "waits"' }],
  hungHandler: [{ hung: [HUNG], detail: 'signal' }],
  recovery: [{ row: { status: 'Running', isOrphaned: true }, detail: 'Its process is lost' }],
};

describe.each(Object.entries(SCENES))('a task waits for: %s', (reason, scenes) => {
  it.each(scenes)('$detail', (scene) => {
    const { row, hung = [], hasHandler = true, limit = {}, turn, pause, detail } = scene;
    const limitState = { ...FULL, ...limit };
    const tasks = [READY, { ...READY, taskNo: 1, status: 'NotStarted' }];
    const changed = tasks.map((each) =>
      each.taskNo === (row?.taskNo ?? 0) ? { ...each, ...row } : each,
    );
    const { at = new Date(0), ...state } = turn ?? {};
    const execution = { ...EXECUTION, turn: turn === undefined ? null : { key: TURN_KEY, at } };
    const shown = viewExecution(execution, changed, definition(hasHandler), {
      hung,
      now: Date.now(),
      limits: new Map([[LIMIT_KEY, limitState]]),
      pauseOf: () => pause,
      turns: new Map([[TURN_KEY, { ...TAKEN, ...state }]]),
    });
    expect(shown.tasks[row?.taskNo ?? 0]?.waitingFor).toEqual({
      reason,
      detail: expect.stringContaining(detail),
      ...(reason === 'child' ? { child: 'c' } : {}),
      ...(reason === 'limit' ? { limit: { name: 'stripe', key: 'acct_17' } } : {}),
      ...(state.nextAt === undefined ? {} : { until: state.nextAt }),
      ...(limit.nextAt === undefined ? {} : { until: limit.nextAt }),
      ...(reason === 'time' || reason === 'condition' ? { until: NEXT_CENTURY } : {}),
      ...(pause === undefined ? {} : { since: pause.pausedAt }),
      ...shownWait(row?.wait),
    });
  });
});

it('names five of the tasks that a task waits for, and counts the others', () => {
  const dependsOn = ['a', 'b', 'c', 'd', 'e', 'f', 'g'];
  const many = runnable([...dependsOn.map((name) => ({ name })), { name: 'last', dependsOn }]);
  const rows = many.workflow.tasks.map(({ no, name }) => ({
    ...READY,
    taskNo: no,
    itemNo: 0,
    status: name === 'last' ? 'NotStarted' : name === 'a' ? 'Completed' : 'Ready',
  }));
  const waitsFor = (): string | undefined =>
    viewExecution(EXECUTION, rows, many, SEEN).tasks[7]?.waitingFor?.detail;
  expect(waitsFor()).toBe('It waits for b, c, d, e, f, 1 more.');
  rows[1]!.status = 'Completed';
  expect(waitsFor()).toBe('It waits for c, d, e, f, g.');
});

it('a task that runs or has ended waits for nothing', () => {
  for (const status of ['Running', 'Completed', 'Failed', 'Skipped', 'Cancelled']) {
    const shown = viewExecution(EXECUTION, [{ ...READY, status }], definition(true), SEEN);
    expect(shown.tasks[0]).not.toHaveProperty('waitingFor');
  }
});

function definition(hasHandler: boolean): RunnableDefinition {
  const made = runnable([{ name: 'first' }, { name: 'second', dependsOn: ['first'] }]);
  const handler = hasHandler ? { run: () => undefined } : undefined;
  return { ...made, handlers: made.handlers.map(() => handler) };
}

function runnable(tasks: readonly TaskSource[]): RunnableDefinition {
  return makeRunnable(compiled({ name: 'waits', tasks }), undefined);
}
