import {
  CHILD_EVENT,
  END_CHILDREN,
  MAX_DEPTH,
  TELL_PARENTS,
  type ChildAttachment,
  type ChildrenReply,
  type ChildStart,
  type LeaseWrite,
  type ParentStep,
  type StartedChild,
} from '../../store/port/index.js';
import { assertStorable } from './memory-failure.js';
import { writeLease } from './memory-leases.js';
import { change, type MemoryStep, type MemoryTask } from './memory-rows.js';
import { areStored, insert, isTaken } from './memory-starts.js';
import type { MemoryTables } from './memory-tables.js';

/** How a child is started, and `committed` for its insertion at the commit of a transaction; see `start-children.ts` of the store on PostgreSQL. */
export type ChildVariant = 'plain' | 'keyed' | 'inTransaction' | 'committed';

export function startChildren(
  tables: MemoryTables,
  children: readonly ChildStart[],
  lease: LeaseWrite,
  variant: ChildVariant,
): ChildrenReply {
  assertStorable(children.map(({ item }) => item.input));
  const replies = children.map((child) => startChild(tables, child, lease, variant));
  writeLease(tables, lease);
  const items = children.map(({ item }) => item);
  return { children: replies, definitionsAreStored: areStored(tables, items) };
}

function startChild(
  tables: MemoryTables,
  child: ChildStart,
  lease: LeaseWrite,
  variant: ChildVariant,
): StartedChild {
  const { item, parent } = child;
  const above = tables.executions.get(parent.executionId);
  // At the commit, the outcome of the task has ended its claim already.
  const isHeld = variant === 'committed' || holds(tables, parent);
  if (!isHeld || above === undefined) return { fate: 'refused', tags: null };
  const tags = child.inheritsTags ? above.tags : item.tags;
  const priority = child.inheritsPriority ? above.priority : item.priority;
  const depth = above.depth + 1;
  if (depth > MAX_DEPTH) return { fate: 'tooDeep', tags };
  const hasStep = variant !== 'keyed';
  if (hasStep ? stepOf(tables, parent) !== undefined : isTaken(tables, item)) {
    return { fate: 'exists', tags };
  }
  if (hasStep) addStep(tables, parent, item.id);
  const parentColumns = {
    depth,
    unsettled: parent.waits ? TELL_PARENTS : 0,
    parentExecutionId: parent.executionId,
    parentTaskNo: parent.taskNo,
    parentItemNo: parent.itemNo,
    parentStep: parent.step,
    rootExecutionId: above.rootExecutionId ?? above.id,
    onParentEnd: child.onParentEnd,
  };
  insert(tables, { ...item, tags, priority }, lease, { parent: parentColumns });
  above.unsettled |= END_CHILDREN;
  return { fate: 'started', tags };
}

function holds(tables: MemoryTables, { token, ...key }: ParentStep): boolean {
  return tables.task(key)?.claimToken === token;
}

function stepOf(tables: MemoryTables, parent: ParentStep): MemoryStep | undefined {
  return tables.stepsOf(parent).find(({ name }) => name === parent.step);
}

function addStep(tables: MemoryTables, parent: ParentStep, childId: string): void {
  const { executionId, taskNo, itemNo, step: name, waits } = parent;
  const now = tables.now();
  tables.addStep({
    executionId,
    taskNo,
    itemNo,
    name,
    kind: 'child',
    status: waits ? 'Open' : 'Done',
    result: null,
    error: null,
    childId,
    listensFor: waits ? { name: CHILD_EVENT, key: childId } : null,
    signalId: null,
    dueAt: null,
    startedAt: now,
    completedAt: waits ? null : now,
  });
  const task = tables.task(parent);
  if (task === undefined) return;
  task.hasSteps = true;
  if (!waits) change<MemoryTask>(task, { attempt: 0, recoveryAttempts: 0 });
}

export function attachChildren(
  tables: MemoryTables,
  attachments: readonly ChildAttachment[],
): boolean[] {
  return attachments.map(({ parent, childId }) => {
    if (!holds(tables, parent)) return false;
    if (stepOf(tables, parent) === undefined) addStep(tables, parent, childId);
    const child = tables.executions.get(childId);
    if (child !== undefined && parent.waits) child.unsettled |= TELL_PARENTS;
    const above = tables.executions.get(parent.executionId);
    if (above !== undefined) above.unsettled |= END_CHILDREN;
    return true;
  });
}
