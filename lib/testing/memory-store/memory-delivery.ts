import {
  EVENT_GRACE_MS,
  MAX_CLAIMED_STEPS,
  MAX_GIVEN_BYTES,
  type Delivery,
  type ExpiredEvents,
  type WakeClaims,
} from '../../store/port/index.js';
import { rowKey } from './memory-claims.js';
import { dropStarts, storeStarts } from './memory-event-starts.js';
import { change, isOpenTask, type MemoryStep, type MemoryTask } from './memory-rows.js';
import { listenersOf, type MemorySignal } from './memory-signals.js';
import type { MemoryTables } from './memory-tables.js';
import { MemoryWakes } from './memory-wakes.js';

/** Wakes the tasks that listen for messages that have not been delivered, up to `limit` of both. */
export function deliver(
  tables: MemoryTables,
  limit: number,
  ids: readonly string[] | undefined,
  claims: WakeClaims | undefined,
): Delivery {
  const messages = tables.signals
    .filter(({ id, delivered }) => !delivered && (ids === undefined || ids.includes(String(id))))
    .slice(0, limit);
  const wakes = new MemoryWakes(tables, claims);
  const woken = new Set<MemoryTask>();
  const delivered = messages.filter((message) => {
    const listeners = new Set(
      listenersOf(tables, message).flatMap((step) => tables.task(step) ?? []),
    );
    message.createdAt = Math.min(message.createdAt, tables.now());
    const left = [...listeners].filter((task) => !message.woken.has(rowKey(task)));
    const part = left.slice(0, Math.max(0, limit - woken.size));
    const ended = part.flatMap((task) => sleepingWait(tables, task, message) ?? []);
    for (const task of part) if (isOpenTask(task)) woken.add(task);
    for (const step of ended) give(tables, step, message);
    message.delivered = part.length === left.length;
    message.woken = new Set(
      message.delivered ? [] : [...message.woken, ...part.map((task) => rowKey(task))],
    );
    return message.delivered;
  });
  for (const task of woken) {
    task.wakes++;
    if (task.status === 'Waiting') wakes.add(task);
  }
  const events = delivered.filter(({ executionId }) => executionId === null);
  const toStart = storeStarts(tables, events);
  const hasMore = delivered.length < messages.length;
  return { messages: messages.length, toStart, isPartial: false, hasMore, ...wakes.woken() };
}

/** The wait of the task that the event ends: the task sleeps in it alone, and it began before the event. */
function sleepingWait(
  tables: MemoryTables,
  task: MemoryTask,
  event: MemorySignal,
): MemoryStep | undefined {
  const { executionId, payload, id, name, key, createdAt } = event;
  const isAsleep =
    task.status === 'Waiting' && !task.paused && (task.runAt ?? Infinity) > tables.now();
  const hasOlder = tables.signals.some(
    (other) => !other.delivered && other.id < id && other.name === name && other.key === key,
  );
  if (executionId !== null || payload.length > MAX_GIVEN_BYTES || !isAsleep || hasOlder)
    return undefined;
  const steps = tables.stepsOf(task);
  const open = steps.filter(({ status }) => status === 'Open');
  if (open.length !== 1 || steps.length > MAX_CLAIMED_STEPS) return undefined;
  if (steps.some(({ signalId }) => signalId === id)) return undefined;
  return open.find(({ startedAt }) => startedAt <= createdAt);
}

function give(tables: MemoryTables, step: MemoryStep, { id, payload }: MemorySignal): void {
  const completedAt = tables.now();
  change(step, { status: 'Done', result: payload, signalId: id, completedAt });
  const task = tables.task(step);
  if (task !== undefined) change(task, { attempt: 0 });
}

/** Deletes events that are kept no longer, except those that a wait has still to take. */
export function expireEvents(tables: MemoryTables, limit: number): ExpiredEvents {
  const now = tables.now();
  const due = tables.signals
    .filter(({ expiresAt }) => expiresAt !== null && expiresAt <= now)
    .slice(0, limit);
  const awaited = new Set(due.filter((event) => isAwaited(tables, event)));
  for (const event of awaited) event.expiresAt = now + EVENT_GRACE_MS;
  const expired = new Set(due.filter((event) => !awaited.has(event)));
  tables.signals = tables.signals.filter((signal) => !expired.has(signal));
  return { events: due.length, unstarted: dropStarts(tables, [...expired]) };
}

/** Whether a wait was open when the event came, and has not taken it yet. */
function isAwaited(tables: MemoryTables, event: MemorySignal): boolean {
  return listenersOf(tables, event).some((step) => {
    const task = tables.task(step);
    return step.startedAt <= event.createdAt && task !== undefined && isOpenTask(task);
  });
}
