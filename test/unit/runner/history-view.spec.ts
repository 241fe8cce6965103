import { describe, expect, it } from '@jest/globals';
import { makeRunnable } from '../../../lib/engine/definitions/runnable-definition.js';
import type { HistoryEntry } from '../../../lib/runner/history-entry.js';
import { viewHistory } from '../../../lib/runner/history-view.js';
import type { HistoryRow, HistoryTaskRow } from '../../../lib/store/port/index.js';
import { compileWorkflow } from '../../../lib/workflow/index.js';

/** The nth second. */
const iso = (n: number): string => new Date(n * 1_000).toISOString();
const at = (n: number): Date => new Date(n * 1_000);

const TASK: HistoryTaskRow = {
  taskNo: 0,
  status: 'NotStarted',
  attempt: 0,
  attempts: null,
  error: null,
  skipReason: null,
  owner: null,
  process: null,
  startedAt: null,
  completedAt: null,
};
const ROW: HistoryRow = {
  workflow: 'told',
  definitionId: '1',
  status: 'Running',
  error: null,
  reason: null,
  idempotencyKey: null,
  tags: null,
  runAt: null,
  createdAt: at(1),
  startedAt: at(2),
  completedAt: null,
  tasks: [],
  events: [],
  waits: [],
  steps: [],
  recoveries: [],
  children: [],
};
const NO = { name: 'Error', message: 'no' };

function view(row: Partial<HistoryRow>): HistoryEntry[] {
  const compiled = compileWorkflow({
    name: 'told',
    tasks: [{ name: 'first' }, { name: 'second', dependsOn: ['first'] }],
  });
  if (!compiled.ok) throw new Error('The workflow does not compile.');
  return viewHistory({ ...ROW, ...row }, makeRunnable(compiled.workflow, undefined));
}

/** What is between the start and the end. */
const between = (row: Partial<HistoryRow>): HistoryEntry[] => view(row).slice(2);
const failed = (attempt: number, from: number) => ({
  attempt,
  startedAt: iso(from),
  completedAt: iso(from + 1),
  owner: 'one',
  error: NO,
});
const retried = (attempt: number, from: number) => {
  const { completedAt, ...detail } = failed(attempt, from);
  return { taskNo: 0, kind: 'retried', detail, at: completedAt };
};
const shown = (attempt: number, from: number) => ({
  type: 'task.attempt',
  at: at(from),
  task: 'first',
  attempt,
  status: 'Failed',
  endedAt: at(from + 1),
  durationMs: 1_000,
  error: NO,
  owner: 'one',
});

describe('the timeline of an execution', () => {
  it('begins with what its start was given', () => {
    const start = { runAt: at(9), idempotencyKey: 'k', tags: '{"customer":"17"}' };
    expect(view({ ...start, startedAt: null })).toEqual([
      { type: 'execution.created', at: at(1), ...start, tags: { customer: '17' } },
    ]);
    expect(view({})).toEqual([
      { type: 'execution.created', at: at(1) },
      { type: 'execution.started', at: at(2) },
    ]);
  });

  it('tells of a pause, or an end and a retry, that came before the first task', () => {
    const retry = { status: 'Cancelled', error: null, reason: 'no', completedAt: iso(5) };
    const told = view({
      startedAt: at(8),
      tasks: [{ ...TASK, status: 'Completed', startedAt: iso(8), completedAt: iso(9) }],
      events: [
        { taskNo: null, kind: 'paused', detail: { reason: null }, at: iso(3) },
        { taskNo: null, kind: 'resumed', detail: null, at: iso(4) },
        { taskNo: null, kind: 'executionRetried', detail: { ...retry, taskNos: [0] }, at: iso(6) },
        { taskNo: null, kind: 'paused', detail: { reason: null }, at: iso(10) },
      ],
    });
    expect(told.map(({ type }) => type)).toEqual([
      'execution.created',
      'execution.paused',
      'execution.resumed',
      'execution.ended',
      'execution.retried',
      'execution.started',
      'task.attempt',
      'execution.paused',
    ]);
  });

  it('begins before its first task, though the time of that is cut and its own is rounded', () => {
    const rounded = new Date(at(8).getTime() + 1);
    const tasks = [{ ...TASK, status: 'Running', startedAt: iso(8) }];
    expect(view({ startedAt: rounded, tasks }).map(({ type }) => type)).toEqual([
      'execution.created',
      'execution.started',
      'task.attempt',
    ]);
  });

  it('tells a failed attempt once, which an event and the row have', () => {
    const task = {
      ...TASK,
      status: 'Ready',
      attempt: 2,
      attempts: [failed(2, 6)],
      error: NO,
      startedAt: iso(6),
    };
    const events = [retried(1, 4), retried(2, 6)];
    expect(between({ tasks: [task], events })).toEqual([shown(1, 4), shown(2, 6)]);
  });

  it('tells the attempt that runs, with its process', () => {
    const running = { ...TASK, status: 'Running', owner: 'two', process: 'host/1' };
    expect(between({ tasks: [{ ...running, startedAt: iso(3) }] })).toEqual([
      {
        type: 'task.attempt',
        at: at(3),
        task: 'first',
        attempt: 1,
        status: 'Running',
        owner: 'two',
        process: 'host/1',
      },
    ]);
  });

  it('tells the attempt that a cancel cut off, and none for a task that waited for one', () => {
    const cancelled = { ...TASK, status: 'Cancelled', completedAt: iso(9) };
    const cutOff = { ...cancelled, attempt: 1, attempts: [failed(1, 3)], startedAt: iso(6) };
    expect(between({ tasks: [cutOff] })).toEqual([
      shown(1, 3),
      expect.objectContaining({ attempt: 2, status: 'Cancelled', at: at(6), endedAt: at(9) }),
    ]);
    const waited = { ...cutOff, startedAt: null };
    expect(between({ tasks: [waited] })).toEqual([shown(1, 3)]);
    expect(between({ tasks: [cancelled] })).toEqual([]);
  });

  it('tells the runs before and after a manual retry, and both ends', () => {
    const reset = {
      taskNo: 0,
      kind: 'reset',
      at: iso(20),
      detail: {
        status: 'Failed',
        skipReason: null,
        attempts: [failed(1, 4), failed(2, 6)],
        startedAt: iso(6),
        completedAt: iso(7),
      },
    };
    const skipped = {
      taskNo: 1,
      kind: 'reset',
      at: iso(20),
      detail: {
        status: 'Skipped',
        skipReason: 'upstreamFailure',
        attempts: null,
        startedAt: null,
        completedAt: iso(8),
      },
    };
    const how = { taskNos: [0, 1], status: 'Failed', error: null, reason: null };
    const retry = {
      taskNo: null,
      kind: 'executionRetried',
      at: iso(20),
      detail: { ...how, completedAt: iso(8) },
    };
    const completed = { ...TASK, status: 'Completed', startedAt: iso(21), completedAt: iso(22) };
    expect(
      between({
        status: 'Cancelled',
        reason: 'enough',
        completedAt: at(30),
        tasks: [completed, { ...TASK, taskNo: 1 }],
        events: [retried(1, 4), reset, skipped, retry],
      }),
    ).toEqual([
      shown(1, 4),
      shown(2, 6),
      { type: 'task.skipped', at: at(8), task: 'second', skipReason: 'upstreamFailure' },
      { type: 'execution.ended', at: at(8), status: 'Failed' },
      { type: 'execution.retried', at: at(20), tasks: ['first', 'second'] },
      expect.objectContaining({ type: 'task.attempt', attempt: 1, status: 'Completed' }),
      { type: 'execution.ended', at: at(30), status: 'Cancelled', reason: 'enough' },
    ]);
  });

  it('tells pauses, deferrals, conflicts and recoveries between them, by their times', () => {
    const conflict = { key: 'price', tasks: ['a', 'b'], winner: 'b' };
    expect(
      between({
        events: [
          { taskNo: null, kind: 'paused', detail: { reason: 'lunch' }, at: iso(3) },
          { taskNo: null, kind: 'resumed', detail: null, at: iso(4) },
          { taskNo: 1, kind: 'conflict', detail: conflict, at: iso(6) },
          { taskNo: 0, kind: 'deferred', detail: null, at: iso(8) },
          { taskNo: 0, kind: 'taskFailed', detail: {}, at: iso(8) },
        ],
        recoveries: [
          recovery('recovered', 5, { previousOwner: 'lost' }),
          recovery('abandoned', 7, { previousOwner: null }),
        ],
      }),
    ).toEqual([
      { type: 'execution.paused', at: at(3), reason: 'lunch' },
      { type: 'execution.resumed', at: at(4) },
      { type: 'task.recovered', at: at(5), task: 'first', owner: 'lost', ...LOSS },
      { type: 'task.conflict', at: at(6), task: 'second', ...conflict },
      { type: 'task.abandoned', at: at(7), task: 'first', ...LOSS },
      { type: 'task.deferred', at: at(8), task: 'first' },
    ]);
  });

  it('ends with the error of its timeout, or of the task whose failure was not handled', () => {
    const end = { status: 'Failed', completedAt: at(9) };
    const late = { name: 'WorkflowTimeoutError', message: 'late' };
    const tasks = [{ ...TASK, status: 'Failed', error: NO }];
    expect(view({ ...end, tasks, error: JSON.stringify(late) }).at(-1)).toMatchObject({
      error: late,
    });
    expect(view({ ...end, tasks }).at(-1)).toMatchObject({ status: 'Failed', error: NO });
  });

  it('ends without the error of a task where it was cancelled', () => {
    const tasks = [{ ...TASK, status: 'Failed', error: NO }];
    const end = view({ status: 'Cancelled', completedAt: at(9), tasks }).at(-1);
    expect(end).toEqual({ type: 'execution.ended', at: at(9), status: 'Cancelled' });
  });
});

const LOSS = { cause: 'boot', orphanedForMs: 7 };

function recovery(
  kind: string,
  second: number,
  { previousOwner }: { previousOwner: string | null },
): HistoryRow['recoveries'][number] {
  return { taskNo: 0, kind, previousOwner, at: iso(second), ...LOSS };
}
