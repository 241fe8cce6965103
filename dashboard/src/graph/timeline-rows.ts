import type { ExecutionResponse, HistoryResponse } from '../../../lib/dashboard/http-types.js';

type Entry = HistoryResponse['entries'][number];

/** A bar or a mark in the timeline, in milliseconds since 1970. */
export interface Span {
  readonly from: number;
  /** Absent: it has not ended. */
  readonly to?: number;
  /** How it is drawn: an attempt by its status, a wait, a step, or the mark of a recovery. */
  readonly look:
    | 'Completed'
    | 'Failed'
    | 'Running'
    | 'Cancelled'
    | 'Waiting'
    | 'wait'
    | 'step'
    | 'items'
    | 'recovered'
    | 'skipped';
  readonly label: string;
}

export interface TimelineRow {
  readonly task: string;
  readonly spans: readonly Span[];
}

/** The history of an execution as one row for each task, in the order in which they appear. */
export function timelineRows(
  entries: readonly Entry[],
  order: readonly string[] = [],
  items: ReadonlyMap<string, Span> = new Map(),
): TimelineRow[] {
  const rows = new Map([...items].map(([task, span]) => [task, [span]]));
  for (const entry of entries) {
    const span = spanOf(entry);
    if (span === undefined || !('task' in entry)) continue;
    const spans = rows.get(entry.task);
    if (spans === undefined) rows.set(entry.task, [span]);
    else spans.push(span);
  }
  const place = new Map(order.map((task, no) => [task, no]));
  return [...rows]
    .map(([task, spans]) => ({ task, spans }))
    .sort(
      (one, other) => (place.get(one.task) ?? Infinity) - (place.get(other.task) ?? Infinity) || 0,
    );
}

/**
 * When the items of each map ran: the history has only the runs of the map itself, before and after them. They begin when the tasks
 * before the map have ended, and end when the map does.
 */
export function itemSpans({
  tasks,
  graph,
  startedAt,
}: Pick<ExecutionResponse, 'tasks' | 'graph' | 'startedAt'>): Map<string, Span> {
  const endOf = new Map(tasks.map(({ name, completedAt }) => [name, completedAt]));
  const spans = tasks.flatMap(({ name, items, completedAt }): [string, Span][] => {
    const before = graph?.tasks.find((task) => task.name === name)?.dependsOn ?? [];
    const ends = [startedAt, ...before.map((one) => endOf.get(one))].filter(
      (at) => at !== undefined,
    );
    if (items === undefined || ends.length === 0) return [];
    const from = Math.max(...ends.map((at) => Date.parse(at)));
    const label = `${items.completed} of ${items.total} items`;
    return [[name, { from, ...toOf(completedAt), look: 'items', label }]];
  });
  return new Map(spans);
}

function spanOf(entry: Entry): Span | undefined {
  const from = Date.parse(entry.at);
  switch (entry.type) {
    case 'task.attempt':
      return {
        from,
        ...toOf(entry.endedAt),
        look: entry.status,
        label: `Attempt ${entry.attempt}: ${entry.status}${entry.error === undefined ? '' : `, ${entry.error.message}`}`,
      };
    case 'task.wait':
      return {
        from,
        ...toOf(entry.endedAt),
        look: 'wait',
        label: `Wait ${entry.wait}: ${entry.status}`,
      };
    case 'task.step':
      return { from, ...toOf(entry.endedAt), look: 'step', label: `Step ${entry.step}` };
    case 'task.recovered':
    case 'task.abandoned':
      return {
        from,
        to: from,
        look: 'recovered',
        label: `Taken over from a lost process: ${entry.cause}`,
      };
    case 'task.skipped':
      return { from, to: from, look: 'skipped', label: 'Skipped' };
    default:
      return undefined;
  }
}

function toOf(at: string | undefined): { to?: number } {
  return at === undefined ? {} : { to: Date.parse(at) };
}

/** Round times for the ticks of an axis, as offsets from its start. */
export function ticksOf(lengthMs: number, max: number): number[] {
  const sizes = [
    1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 3e4, 6e4, 3e5, 6e5, 18e5, 36e5, 108e5,
    432e5, 864e5,
  ];
  let size =
    sizes.find((one) => lengthMs / one <= max) ?? Math.ceil(lengthMs / max / 864e5) * 864e5;
  if (!(size > 0)) size = 1;
  return Array.from({ length: Math.floor(lengthMs / size) + 1 }, (_, no) => no * size);
}
