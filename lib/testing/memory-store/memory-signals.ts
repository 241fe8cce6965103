import type { MemoryStep } from './memory-rows.js';
import type { MemoryTables } from './memory-tables.js';

/** A start that an event is to make. */
export interface MemoryEventStart {
  readonly signalId: number;
  readonly workflow: string;
  readonly event: string;
  attempts: number;
  /** JSON text. */
  error: string | null;
  dueAt: number;
}

/** A row of the signals and events, as the columns of PostgreSQL with the same names. */
export interface MemorySignal {
  readonly id: number;
  /** Null for an event. */
  readonly executionId: string | null;
  readonly name: string;
  readonly key: string | null;
  /** JSON text. */
  readonly payload: string;
  readonly idempotencyKey: string | null;
  expiresAt: number | null;
  delivered: boolean;
  consumed: boolean;
  /** Infinity until the delivery of a message that was sent in a caller's transaction. */
  createdAt: number;
  /** Between two parts of a delivery: the keys of the tasks that were woken. */
  woken: ReadonlySet<string>;
}

/** The open steps that wait for a message of this name, and of this key or execution. */
export function listenersOf(
  tables: MemoryTables,
  { executionId, name, key }: Pick<MemorySignal, 'executionId' | 'name' | 'key'>,
): MemoryStep[] {
  const kind = executionId === null ? 'event' : 'signal';
  return [...tables.steps.values()]
    .flat()
    .filter(
      ({ status, listensFor, ...step }) =>
        step.kind === kind &&
        status === 'Open' &&
        listensFor?.name === name &&
        listensFor.key === (key ?? executionId),
    );
}
