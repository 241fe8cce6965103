import { epochMs } from './columns.js';
import type { TenantTables } from './statement.js';
import type { WakeUpKind } from '../../port/index.js';

/** How to find a kind of wake-up in a tenant's schema. */
interface WakeUpSource {
  readonly kind: WakeUpKind;
  /** FROM and WHERE of the rows that become due. One partial index returns the first of them by time. */
  readonly from: (tables: TenantTables) => string;
  /** The column with the time at which a row becomes due. */
  readonly at: string;
  /** Whether rows may stay due because they can't be handled. The next later row is then read separately. */
  readonly mayStayDue: boolean;
}

/** All kinds of wake-ups. A new kind needs an entry here, and one for its effect in `engine/process`. */
const SOURCES: readonly WakeUpSource[] = [
  {
    kind: 'task',
    from: ({ task }) => `${task} t WHERE t.run_at IS NOT NULL AND NOT t.paused AND t.task_no >= 0`,
    at: 't.run_at',
    mayStayDue: true,
  },
  {
    kind: 'deadline',
    from: ({ execution }) => `${execution} x WHERE x.deadline_at IS NOT NULL`,
    at: 'x.deadline_at',
    mayStayDue: false,
  },
];

const STAYING: ReadonlySet<string> = new Set(
  SOURCES.filter((source) => source.mayStayDue).map(({ kind }) => kind),
);

export function mayStayDue(kind: WakeUpKind): boolean {
  return STAYING.has(kind);
}

/**
 * Builds the select list of a kind's query: the kind, the milliseconds until it is due, and its due time in milliseconds
 * since 1970.
 */
export type DueColumns = (due: {
  readonly kind: string;
  readonly inMs: string;
  readonly at: string;
}) => string;

/** Queries for the first item of each kind, due or not. */
export function firstDue(tables: TenantTables, select: DueColumns): string[] {
  return SOURCES.map(({ kind, from, at }) =>
    firstOf(tables, { kind, from: from(tables), at }, select),
  );
}

/** The same, but if items can stay due, the first due item and the first later one are reported separately. */
export function nextDue(tables: TenantTables, select: DueColumns): string[] {
  return SOURCES.flatMap((source) => {
    const { kind, at } = source;
    const from = source.from(tables);
    if (!source.mayStayDue) return [firstOf(tables, { kind, from, at }, select)];
    return [
      firstOf(tables, { kind, from: `${from} AND ${at} <= ${tables.clock.statement}`, at }, select),
      firstOf(tables, { kind, from: `${from} AND ${at} > ${tables.clock.statement}`, at }, select),
    ];
  });
}

interface FirstOf {
  readonly kind: string;
  readonly from: string;
  readonly at: string;
}

function firstOf(tables: TenantTables, { kind, from, at }: FirstOf, select: DueColumns): string {
  const due = { kind: `'${kind}'`, inMs: epochMs(`${at} - ${tables.clock.now}`), at: epochMs(at) };
  return `(SELECT ${select(due)}
      FROM ${from} ORDER BY ${at} LIMIT 1)`;
}
