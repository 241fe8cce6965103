import {
  listenerName,
  type Listen,
  type MessageWait,
  type TakeReply,
} from '../../store/port/index.js';
import { change, type MemoryStep } from './memory-rows.js';
import type { MemorySignal } from './memory-signals.js';
import type { MemoryTables } from './memory-tables.js';

/** Takes the oldest message of each wait, one wait after the other. */
export function take(tables: MemoryTables, waits: readonly MessageWait[]): TakeReply[] {
  return waits.map((wait) => takeOne(tables, wait));
}

function takeOne(tables: MemoryTables, wait: MessageWait): TakeReply {
  const found = wait.listens
    .flatMap((listen) => {
      const signal = firstFor(tables, wait, listen);
      return signal === undefined ? [] : [{ listen, signal }];
    })
    .sort((a, b) => a.signal.id - b.signal.id)[0];
  if (found === undefined) return { kind: 'nothing' };
  const task = tables.task(wait);
  if (task?.claimToken !== wait.token) return { kind: 'refused' };
  const step = tables.stepsOf(wait).find(({ name }) => name === wait.step);
  if (step?.status !== 'Open') return { kind: 'over' };
  const { listen, signal } = found;
  const { payload } = signal;
  const result =
    listen.label === null
      ? payload
      : `{"name":${JSON.stringify(listen.label)},"payload":${payload}}`;
  const isSignal = listen.key === null;
  if (isSignal) change(signal, { consumed: true, delivered: true });
  const listensFor = { name: listen.name, key: listen.key ?? wait.executionId };
  const completedAt = tables.now();
  change<MemoryStep>(step, {
    status: 'Done',
    result,
    listensFor,
    signalId: signal.id,
    completedAt,
  });
  const listeners = wait.listens.map(({ label }) => listenerName(wait.step, label ?? ''));
  tables.deleteSteps(wait, ({ name }) => listeners.includes(name));
  change(task, { attempt: 0, recoveryAttempts: 0 });
  return { kind: 'taken', result };
}

function firstFor(
  tables: MemoryTables,
  wait: MessageWait,
  { name, key, lookbackMs }: Listen,
): MemorySignal | undefined {
  const { executionId } = wait;
  if (key === null) {
    return tables.signals.find(
      (signal) => signal.executionId === executionId && signal.name === name && !signal.consumed,
    );
  }
  const steps = tables.stepsOf(wait);
  const own = steps.find((step) => step.name === wait.step);
  const had = steps
    .filter(({ status, listensFor }) => {
      return status === 'Done' && listensFor?.name === name && listensFor.key === key;
    })
    .map(({ signalId }) => signalId);
  const since =
    lookbackMs === null
      ? (tables.executions.get(executionId)?.createdAt ?? 0)
      : (own?.startedAt ?? 0) - lookbackMs;
  const accepted = tables.signals.filter(
    (signal) =>
      signal.executionId === null &&
      signal.name === name &&
      signal.key === key &&
      !had.includes(signal.id) &&
      signal.createdAt >= since &&
      ((signal.expiresAt ?? Infinity) > tables.now() ||
        signal.createdAt >= (own?.startedAt ?? Infinity)),
  );
  return accepted.sort((a, b) => compareAge(a, b))[0];
}

/** Events without a time, because they were not delivered yet, come last. */
function compareAge(a: MemorySignal, b: MemorySignal): number {
  if (a.createdAt === b.createdAt) return a.id - b.id;
  return a.createdAt < b.createdAt ? -1 : 1;
}
