import { WAITS_FOR_TURN } from './admission-slots.js';
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
  /** Milliseconds until the first row is due. Default: until its time. */
  readonly inMs?: string;
  /** The time of the first row, in milliseconds since 1970. Default: that of `at`. */
  readonly dueAt?: string;
  /** Whether rows may stay due because they can't be handled. The next later row is then read separately. */
  readonly mayStayDue: boolean;
  /** Which tenants have such rows. Each relation of a sweep costs planning, so the others are not asked. Default: all. */
  readonly isAsked?: (tables: TenantTables) => boolean;
}

/** All kinds of wake-ups. A new kind needs an entry here, and one for its effect in `engine/process`. */
const SOURCES: readonly WakeUpSource[] = [
  {
    kind: 'task',
    from: ({ task }) =>
      `${task} t WHERE t.run_at IS NOT NULL AND NOT t.paused AND t.limit_key IS NULL AND t.task_no >= 0`,
    at: 't.run_at',
    mayStayDue: true,
  },
  {
    kind: 'limited',
    from: ({ task }) =>
      `${task} t WHERE t.run_at IS NOT NULL AND NOT t.paused AND t.limit_key IS NOT NULL AND t.task_no >= 0`,
    at: 't.run_at',
    // Tasks of a full key.
    mayStayDue: true,
    isAsked: ({ limits }) => limits.tasks.isAsked,
  },
  {
    kind: 'admission',
    from: ({ execution }) => `${execution} x WHERE ${WAITS_FOR_TURN} AND x.generation >= 0`,
    at: 'x.run_at',
    // Executions of a full key.
    mayStayDue: true,
    // Executions of schedules take turns too, whatever their workflows are.
    isAsked: ({ limits, schedules }) => limits.admit || schedules.isAsked,
  },
  {
    kind: 'deadline',
    from: ({ execution }) => `${execution} x WHERE x.deadline_at IS NOT NULL`,
    at: 'x.deadline_at',
    mayStayDue: false,
  },
  {
    kind: 'message',
    from: ({ signal }) => `${signal} s WHERE NOT s.delivered`,
    // Its time may be infinity, which has no milliseconds. All of these rows are due.
    at: 's.id',
    inMs: '0::bigint',
    dueAt: '0::bigint',
    mayStayDue: false,
    isAsked: ({ messages }) => messages.isAsked,
  },
  {
    kind: 'expiry',
    from: ({ signal }) => `${signal} s WHERE s.expires_at IS NOT NULL`,
    at: 's.expires_at',
    mayStayDue: false,
    isAsked: ({ messages }) => messages.isAsked,
  },
  {
    kind: 'eventStart',
    from: ({ eventStart }) => `${eventStart} e WHERE true`,
    at: 'e.due_at',
    // Only a process with the code of the workflow can make it.
    mayStayDue: true,
    isAsked: ({ messages }) => messages.isAsked,
  },
  {
    kind: 'schedule',
    from: ({ schedule }) => `${schedule} c WHERE c.state = 'active' AND c.next_at IS NOT NULL`,
    at: 'c.next_at',
    // Those of workflows that only other processes know.
    mayStayDue: true,
    isAsked: ({ schedules }) => schedules.isAsked,
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
  return asked(tables).map((source) =>
    firstOf(tables, { ...source, from: source.from(tables) }, select),
  );
}

/**
 * The same, but if items can stay due, the first due item and the first later one are reported separately, and also the last
 * due item: it tells whether one has become due lately, although others have been due for long.
 */
export function nextDue(tables: TenantTables, select: DueColumns): string[] {
  return asked(tables).flatMap((source) => {
    const { kind, at } = source;
    const from = source.from(tables);
    if (!source.mayStayDue) return [firstOf(tables, { ...source, from }, select)];
    const due = { kind, from: `${from} AND ${at} <= ${tables.clock.statement}`, at };
    const later = { kind, from: `${from} AND ${at} > ${tables.clock.statement}`, at };
    return [
      firstOf(tables, due, select),
      firstOf(tables, { ...due, order: ' DESC' }, select),
      firstOf(tables, later, select),
    ];
  });
}

function asked(tables: TenantTables): readonly WakeUpSource[] {
  return SOURCES.filter(({ isAsked }) => isAsked?.(tables) !== false);
}

interface FirstOf {
  readonly kind: string;
  readonly from: string;
  readonly at: string;
  readonly inMs?: string;
  readonly dueAt?: string;
  /** Default: ascending. */
  readonly order?: ' DESC';
}

function firstOf(tables: TenantTables, first: FirstOf, select: DueColumns): string {
  const {
    kind,
    from,
    at,
    inMs = epochMs(`${at} - ${tables.clock.now}`),
    dueAt = epochMs(at),
    order = '',
  } = first;
  return `(SELECT ${select({ kind: `'${kind}'`, inMs, at: dueAt })}
      FROM ${from} ORDER BY ${at}${order} LIMIT 1)`;
}
