import { jsonColumn, plainArray } from './encoding.js';
import { leaseValues } from './lease-clause.js';
import type { OpenBatch } from '../claim-batches.js';
import {
  type Claimant,
  type Outcome,
  type OutcomeDetail,
  type TaskKey,
  byLockOrder,
} from '../../port/index.js';

/** Whether all outcomes completed their tasks and have nothing to store but their output. */
export function arePlain(outcomes: readonly Outcome[]): boolean {
  return outcomes.every(
    ({ status, detail, handles }) =>
      status === 'Completed' && detail === null && handles.length === 0,
  );
}

/**
 * The parameters of the statements in `complete-tasks.ts`. Those for plain outcomes lack the last three. `outcomes` must be
 * sorted by {@link byLockOrder}.
 */
export function completionValues(
  outcomes: readonly Outcome[],
  claimant: Claimant,
  writeLease: boolean,
  batch: Pick<OpenBatch, 'no' | 'ended'>,
  isPlain = false,
): unknown[] {
  const rows = outcomes.flatMap((outcome, ord) => lockedRows(outcome, ord)).sort(byLockOrder);
  const edges = outcomes.flatMap((outcome) => outcome.dependents);
  const lastEdges: number[] = [];
  let edgeCount = 0;
  for (const outcome of outcomes) lastEdges.push((edgeCount += outcome.dependents.length));
  return [
    plainArray(rows.map((row) => row.executionId)),
    plainArray(rows.map((row) => row.taskNo)),
    plainArray(rows.map((row) => row.itemNo)),
    plainArray(rows.map((row) => (row.via === null ? row.outcome.token : null))),
    jsonColumn(rows.map((row) => asElement(row.outcome.output))),
    jsonColumn(rows.map((row) => row.outcome.finalContext)),
    plainArray(rows.map((row) => row.outcome.leaf)),
    plainArray(rows.map((row) => (lastEdges[row.ord - 1] ?? 0) + 1)),
    plainArray(rows.map((row) => lastEdges[row.ord])),
    plainArray(rows.map((row) => row.ord)),
    plainArray(edges.map((edge) => edge.taskNo)),
    plainArray(edges.map((edge) => edge.claim)),
    ...leaseValues(claimant, writeLease),
    batch.no,
    plainArray(batch.ended),
    ...(isPlain
      ? []
      : [
          plainArray(rows.map((row) => row.outcome.status)),
          jsonColumn(rows.map((row) => encodeDetail(row.outcome.detail))),
          plainArray(rows.map((row) => row.via)),
        ]),
  ];
}

interface LockedRow extends TaskKey {
  readonly outcome: Outcome;
  readonly ord: number;
  /** For the row of a failed dependency: the index of the outcome that handles it. Null for the outcome's own row. */
  readonly via: number | null;
}

function lockedRows(outcome: Outcome, ord: number): LockedRow[] {
  const { executionId, taskNo, itemNo } = outcome;
  const own: LockedRow = { outcome, ord, executionId, taskNo, itemNo, via: null };
  if (outcome.handles.length === 0) return [own];
  // A dependency is a task, so its row is that of item 0.
  const handled = (no: number): LockedRow => ({ ...own, taskNo: no, itemNo: 0, via: ord });
  return [own, ...outcome.handles.map(handled)];
}

/**
 * The output of a task is an object, which `json_array_elements_text` returns as it is. That of an item may be any JSON value,
 * so it is sent as a string that contains its text: otherwise a string would lose its quotes.
 */
function asElement(output: string | null): string | null {
  return output === null || output.startsWith('{') ? output : JSON.stringify(output);
}

function encodeDetail(detail: OutcomeDetail | null): string | null {
  return detail && JSON.stringify(detail);
}
