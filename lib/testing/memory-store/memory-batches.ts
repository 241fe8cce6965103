import {
  BATCH_INPUT,
  type BatchedStart,
  type BatchInput,
  type BatchReply,
  type BatchResult,
} from '../../store/port/index.js';
import { assertStorable } from './memory-failure.js';
import { change, type MemoryExecution } from './memory-rows.js';
import { areStored, insert } from './memory-starts.js';
import type { MemoryTables } from './memory-tables.js';

/** Begins a stored key, so that a batch and a debounced execution of a workflow may have the same key. */
const KEY_PREFIX = '\u001e';

/** Adds inputs to the executions with their keys that have not begun, or creates these. */
export function startBatched(tables: MemoryTables, starts: readonly BatchedStart[]): BatchReply {
  const items = starts.map(({ item }) => item);
  assertStorable(starts.flatMap(({ inputs }) => inputs.map(({ input }) => input)));
  return {
    starts: starts.map((start) => startOne(tables, start)),
    definitionsAreStored: areStored(tables, items),
  };
}

function startOne(tables: MemoryTables, start: BatchedStart): BatchResult {
  const { item, size, inputs, waitMs } = start;
  const key = `${KEY_PREFIX}${start.key}`;
  const found = [...tables.executions.values()].find(
    ({ workflow, debounceKey }) => workflow === item.plan.workflow && debounceKey === key,
  );
  if (found !== undefined && isOpen(found, start)) {
    const taken = Math.min(inputs.length, size - (found.batchCount ?? 0));
    const filled = (found.batchCount ?? 0) + taken;
    const isFull = filled >= size;
    change(found, { batchCount: filled, debounceKey: isFull ? null : key });
    if (isFull) makeDue(tables, found);
    add(tables, found.id, inputs.slice(0, taken));
    return { id: found.id, created: false, taken, isFull };
  }
  if (found !== undefined) found.debounceKey = null;
  const taken = Math.min(inputs.length, size);
  const isFull = taken >= size;
  const delayMs = isFull ? 0 : waitMs;
  const created = { ...item, runAt: null, delayMs, idempotencyKey: null, claims: 0 };
  const batch = { batchCount: taken, ...(isFull ? {} : { debounceKey: key }) };
  insert(tables, created, { claimant: { instanceId: '' } }, batch);
  add(tables, item.id, inputs.slice(0, taken));
  return { id: item.id, created: true, taken, isFull };
}

function isOpen(
  { startedAt, completedAt, definitionId, batchCount }: MemoryExecution,
  { item, size }: BatchedStart,
): boolean {
  const isSame = definitionId === item.plan.definitionId;
  return startedAt === null && completedAt === null && isSame && (batchCount ?? 0) < size;
}

function makeDue(tables: MemoryTables, execution: MemoryExecution): void {
  const now = tables.now();
  const { admitted, runAt } = execution;
  if (!admitted) execution.runAt = Math.min(runAt ?? now, now);
  for (const task of tables.tasksOf(execution.id)) {
    if (task.runAt !== null) task.runAt = Math.min(task.runAt, now);
  }
}

function add(tables: MemoryTables, executionId: string, inputs: readonly BatchInput[]): void {
  for (const { id, input } of inputs) {
    tables.signals.push({
      id: tables.nextId(),
      executionId,
      name: BATCH_INPUT,
      key: null,
      payload: input,
      idempotencyKey: id,
      delivered: true,
      consumed: false,
      createdAt: tables.now(),
      expiresAt: null,
      woken: new Set(),
    });
  }
}

/** The executions that have these inputs. */
export function findBatched(
  tables: MemoryTables,
  inputs: readonly string[],
): ReadonlyMap<string, string> {
  const wanted = new Set(inputs);
  return new Map(
    tables.signals.flatMap(({ name, idempotencyKey, executionId }) =>
      name === BATCH_INPUT &&
      executionId !== null &&
      idempotencyKey !== null &&
      wanted.has(idempotencyKey)
        ? [[idempotencyKey, executionId]]
        : [],
    ),
  );
}

/** The inputs of an execution, in the order in which they were added. */
export function batchInputs(tables: MemoryTables, id: string): string[] {
  return tables.signals
    .filter(({ executionId, name }) => executionId === id && name === BATCH_INPUT)
    .map(({ payload }) => payload);
}
