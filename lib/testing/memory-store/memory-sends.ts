import {
  MAX_CLAIMED_STEPS,
  type Message,
  type SendReplies,
  type SendReply,
  type SignalMessage,
  type SignalReplies,
  type SignalTo,
  type WakeClaims,
} from '../../store/port/index.js';
import { assertStorable, MemoryFailure } from './memory-failure.js';
import { change, isOpenExecution, type MemoryStep } from './memory-rows.js';
import { listenersOf } from './memory-signals.js';
import type { MemoryTables } from './memory-tables.js';
import type { MemoryTransaction } from './memory-transaction.js';
import { MemoryWakes } from './memory-wakes.js';

/** Stores messages. They are not delivered yet. */
export function sendMessages(tables: MemoryTables, messages: readonly Message[]): SendReplies {
  assertStorable(messages.map(({ payload }) => payload));
  for (const message of messages) assertKeyIsFree(tables, message);
  const ids: string[] = [];
  const replies = messages.map((message) => {
    const reply = replyTo(tables, message);
    if (!isAccepted(message, reply) || isKnown(tables, message, reply.executionId)) return reply;
    ids.push(String(insert(tables, message, reply.executionId, tables.now())));
    noteActor(tables, message, reply.executionId);
    return reply;
  });
  return { replies, ids };
}

/** Stores signals, and gives each to the task that sleeps in a wait for it. */
export function sendSignals(
  tables: MemoryTables,
  signals: readonly SignalMessage[],
  claims: WakeClaims,
): SignalReplies {
  const wakes = new MemoryWakes(tables, claims);
  const asleep = new Map(signals.map((signal) => [signal, sleeperOf(tables, signal)]));
  const { replies, ids } = sendMessages(tables, signals);
  const left = ids.filter((id) => {
    const stored = tables.signals.find((row) => String(row.id) === id);
    const signal = signals.find(({ idempotencyKey }) => idempotencyKey === stored?.idempotencyKey);
    const step = signal === undefined ? undefined : asleep.get(signal);
    const task = step === undefined ? undefined : tables.task(step);
    if (stored === undefined || step?.status !== 'Open' || task?.status !== 'Waiting') return true;
    const completedAt = tables.now();
    change(stored, { consumed: true, delivered: true });
    const { payload: result, id: signalId } = stored;
    change<MemoryStep>(step, { status: 'Done', result, signalId, completedAt });
    change(task, { attempt: 0 });
    task.wakes++;
    wakes.add(task);
    return false;
  });
  return { replies, ids: left, ...wakes.woken() };
}

/** The step of a task that sleeps in this wait alone, unless an older signal is in the mailbox. */
function sleeperOf(tables: MemoryTables, signal: SignalMessage): MemoryStep | undefined {
  const { executionId } = replyTo(tables, signal);
  const { name } = signal;
  const hasOlder = tables.signals.some(
    (other) => other.executionId === executionId && other.name === name && !other.consumed,
  );
  if (executionId === null || hasOlder) return undefined;
  return listenersOf(tables, { executionId, name, key: null }).find((step) => {
    const steps = tables.stepsOf(step);
    const open = steps.filter(({ status }) => status === 'Open');
    const task = tables.task(step);
    if (open.length > 1 || steps.length > MAX_CLAIMED_STEPS) return false;
    return task?.status === 'Waiting' && !task.paused;
  });
}

/** The same in a caller's transaction: stored at its commit. The key is reserved until its end. */
export function sendMessageIn(
  tables: MemoryTables,
  transaction: MemoryTransaction,
  message: Message,
  committed: () => void,
): SendReply {
  assertStorable([message.payload]);
  assertKeyIsFree(tables, message, transaction);
  const reply = replyTo(tables, message, transaction);
  if (!isAccepted(message, reply) || isKnown(tables, message, reply.executionId)) return reply;
  const key = reservationOf(message);
  if (key !== undefined) {
    if (tables.openKeys.get(key) === transaction) return reply;
    tables.openKeys.set(key, transaction);
  }
  transaction.onCommit(() => {
    insert(tables, message, reply.executionId, Infinity);
    noteActor(tables, message, reply.executionId);
    committed();
  });
  return reply;
}

/** The history of the execution names the sender of a signal, if the call does. */
function noteActor(tables: MemoryTables, message: Message, executionId: string | null): void {
  if (message.kind !== 'signal' || executionId === null) return;
  const { name: signal, actor } = message;
  if (typeof actor === 'string') tables.addEvent(executionId, 'signalled', { signal, actor });
}

function replyTo(
  tables: MemoryTables,
  message: Message,
  transaction?: MemoryTransaction,
): SendReply {
  if (message.kind === 'event') return { stored: true, executionId: null, status: null };
  const started = transaction?.starts.find((start) =>
    isTarget(message.to, { ...start, workflow: start.plan.workflow }),
  );
  const found =
    started === undefined
      ? [...tables.executions.values()].find((execution) => isTarget(message.to, execution))
      : { id: started.id, status: 'Pending' };
  if (found === undefined) return { stored: false, executionId: null, status: null };
  const reply = { executionId: found.id, status: found.status };
  const stored = isOpenExecution(found) || isKnown(tables, message, found.id);
  return { ...reply, stored };
}

function isTarget(
  to: SignalTo,
  row: {
    readonly id: string;
    readonly workflow: string;
    readonly idempotencyKey: string | null;
  },
): boolean {
  if ('id' in to) return to.id === row.id;
  return to.workflow === row.workflow && to.key === row.idempotencyKey;
}

function isAccepted({ kind }: Message, { status }: SendReply): boolean {
  return kind === 'event' || (status !== null && isOpenExecution({ status }));
}

/** Whether an earlier send has stored it. */
function isKnown(tables: MemoryTables, message: Message, executionId: string | null): boolean {
  const { name, idempotencyKey } = message;
  if (idempotencyKey === null) return false;
  const key = message.kind === 'event' ? message.key : null;
  return tables.signals.some(
    (signal) =>
      signal.executionId === executionId &&
      signal.name === name &&
      signal.key === key &&
      signal.idempotencyKey === idempotencyKey,
  );
}

/** Fails at once if another open transaction has the key, as if the wait for it had timed out. */
function assertKeyIsFree(tables: MemoryTables, message: Message, own?: MemoryTransaction): void {
  const key = reservationOf(message);
  const holder = key === undefined ? undefined : tables.openKeys.get(key);
  if (holder === undefined || holder === own) return;
  throw new MemoryFailure('conflict', 'An open transaction has this key.', { isLockTimeout: true });
}

function reservationOf(message: Message): string | undefined {
  const { kind, name, idempotencyKey } = message;
  if (idempotencyKey === null) return undefined;
  return JSON.stringify([kind, name, kind === 'event' ? message.key : message.to, idempotencyKey]);
}

function insert(
  tables: MemoryTables,
  message: Message,
  executionId: string | null,
  createdAt: number,
): number {
  const id = tables.nextId();
  const isEvent = message.kind === 'event';
  tables.signals.push({
    id,
    executionId,
    name: message.name,
    key: isEvent ? message.key : null,
    payload: message.payload,
    idempotencyKey: message.idempotencyKey,
    delivered: false,
    consumed: false,
    createdAt,
    expiresAt: isEvent ? tables.now() + message.keepForMs : null,
    woken: new Set(),
  });
  return id;
}
