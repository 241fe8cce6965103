import type {
  EventStartResult,
  EventSubscription,
  NewDefinition,
  PendingEventStart,
} from '../../store/port/index.js';
import type { MemoryEventStart, MemorySignal } from './memory-signals.js';
import type { MemoryTables } from './memory-tables.js';

/** Takes starts that are due, and postpones them. */
export function takeStarts(
  tables: MemoryTables,
  subscriptions: readonly EventSubscription[],
  limit: number,
  leaseMs: number,
): PendingEventStart[] {
  return subscriptions
    .flatMap((subscription) => dueOf(tables, subscription).slice(0, limit))
    .map(({ start, signal }) => taken(start, signal, tables.now() + leaseMs))
    .sort((a, b) => Number(a.eventId) - Number(b.eventId));
}

/** Deletes starts that were made, and postpones those that failed. */
export function settleStarts(tables: MemoryTables, results: readonly EventStartResult[]): void {
  for (const { workflow, eventId, failure } of results) {
    const start = tables.eventStarts.find(
      (each) => each.workflow === workflow && each.signalId === Number(eventId),
    );
    if (start === undefined) continue;
    if (failure === undefined) remove(tables, [start]);
    else Object.assign(start, { error: failure.error, dueAt: tables.now() + failure.retryInMs });
  }
}

/** Makes the subscriptions of the workflows those of these definitions. */
export function subscribe(tables: MemoryTables, definitions: readonly NewDefinition[]): void {
  const names = new Set(definitions.map(({ name }) => name));
  const others = tables.subscriptions.filter(({ workflow }) => !names.has(workflow));
  const own = definitions.flatMap(({ name: workflow, definition }) =>
    startsOnOf(definition).map((event) => ({ workflow, event })),
  );
  tables.subscriptions = [...others, ...own];
}

function startsOnOf(definition: unknown): readonly string[] {
  const { startsOn = [] } = Object(definition) as { readonly startsOn?: readonly string[] };
  return startsOn;
}

/** Stores the starts that delivered events have to make. Returns the names of the workflows. */
export function storeStarts(tables: MemoryTables, events: readonly MemorySignal[]): string[] {
  const starts = events.flatMap(({ id, name }) =>
    tables.subscriptions
      .filter(({ event }) => event === name)
      .map(({ workflow, event }): MemoryEventStart => {
        const dueAt = tables.now();
        return { signalId: id, workflow, event, attempts: 0, error: null, dueAt };
      })
      .filter((start) => !isStored(tables, start)),
  );
  tables.eventStarts.push(...starts);
  return namesOf(starts);
}

/** Deletes the starts that expired events had still to make. Returns the names of the workflows. */
export function dropStarts(tables: MemoryTables, events: readonly MemorySignal[]): string[] {
  const ids = new Set(events.map(({ id }) => id));
  const dropped = tables.eventStarts.filter(({ signalId }) => ids.has(signalId));
  remove(tables, dropped);
  return namesOf(dropped);
}

function isStored(tables: MemoryTables, { signalId, workflow }: MemoryEventStart): boolean {
  return tables.eventStarts.some(
    (each) => each.signalId === signalId && each.workflow === workflow,
  );
}

function namesOf(starts: readonly MemoryEventStart[]): string[] {
  return [...new Set(starts.map(({ workflow }) => workflow))].sort();
}

function remove(tables: MemoryTables, starts: readonly MemoryEventStart[]): void {
  tables.eventStarts = tables.eventStarts.filter((start) => !starts.includes(start));
}

interface DueStart {
  readonly start: MemoryEventStart;
  readonly signal: MemorySignal;
}

function dueOf(tables: MemoryTables, { workflow, event }: EventSubscription): DueStart[] {
  return tables.eventStarts
    .filter((start) => start.workflow === workflow && start.event === event)
    .filter(({ dueAt }) => dueAt <= tables.now())
    .sort((a, b) => a.dueAt - b.dueAt || a.signalId - b.signalId)
    .flatMap((start) => {
      const signal = tables.signals.find(({ id }) => id === start.signalId);
      return signal === undefined ? [] : [{ start, signal }];
    });
}

function taken(
  start: MemoryEventStart,
  { name, key, payload, createdAt }: MemorySignal,
  dueAt: number,
): PendingEventStart {
  Object.assign(start, { dueAt, attempts: start.attempts + 1 });
  const { workflow, signalId, attempts } = start;
  return {
    workflow,
    eventId: String(signalId),
    event: name,
    key: key ?? '',
    payload,
    sentAt: new Date(createdAt),
    attempts,
  };
}
