import type { SettledChild } from '../../discovery/task-context/child-options.js';
import {
  ChildCancelledError,
  ChildFailedError,
  ChildMissingError,
  InvalidArgumentError,
  type StoredError,
} from '../../errors/index.js';
import { decodeJson } from '../../workflow/index.js';
import type { StepRow, StoredChildEnd } from '../../store/port/index.js';
import type { Children } from './children.js';

/** The context of the child of an ended step, or the error of one that did not complete. */
export async function contextOfChild(children: Children, row: StepRow): Promise<object> {
  const id = row.childId ?? '';
  const end = endOf(row);
  if (end === undefined) {
    if (row.childContext !== undefined) return decodeJson(row.childContext) as object;
    const child = await children.ended(id);
    if (child === undefined) throw new ChildMissingError(id);
    assertCompleted(row, child.status);
    return child.context;
  }
  throw errorOf(id, end);
}

/** The child of an ended step, whatever its status. */
export async function settledChild(children: Children, row: StepRow): Promise<SettledChild> {
  const id = row.childId ?? '';
  const child = await children.read(id);
  const end = endOf(row);
  if (child === undefined || end?.status === 'Missing') throw new ChildMissingError(id);
  const { workflow } = child;
  const context = child.context as SettledChild['context'];
  if (end === undefined) {
    assertCompleted(row, child.status);
    return { id, workflow, status: 'Completed', context };
  }
  const { error, reason } = detailsOf(end);
  return {
    id,
    workflow,
    status: end.status === 'Cancelled' ? 'Cancelled' : 'Failed',
    context,
    ...(error === undefined ? {} : { error }),
    ...(reason === undefined ? {} : { reason }),
  };
}

/** How the child ended when the step was told; undefined if it completed. A retry of the child does not change it. */
function endOf({ status, result }: StepRow): StoredChildEnd | undefined {
  return status === 'Done' || result === null ? undefined : (JSON.parse(result) as StoredChildEnd);
}

/**
 * A step that ended without an end to report belongs to a child that completed, or to a child that was started by
 * `context.start()`: in an earlier release of the code, which did not wait for it.
 */
function assertCompleted({ name }: StepRow, status: string): void {
  if (status === 'Completed') return;
  throw new InvalidArgumentError(
    'name',
    `${JSON.stringify(name)} is stored as a start(), which does not wait; give the execute() another name`,
  );
}

function errorOf(id: string, end: StoredChildEnd): Error {
  if (end.status === 'Missing') return new ChildMissingError(id);
  const child = { id, workflow: end.workflow ?? '', ...detailsOf(end) };
  return end.status === 'Cancelled' ? new ChildCancelledError(child) : new ChildFailedError(child);
}

function detailsOf({ error, reason }: StoredChildEnd): {
  readonly error: StoredError | undefined;
  readonly reason: string | undefined;
} {
  return { error: (error ?? undefined) as StoredError | undefined, reason: reason ?? undefined };
}
