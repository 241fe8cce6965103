import { epochMs } from './columns.js';
import type { TenantTables } from './statement.js';
import type { WakeUpKind } from '../../port/index.js';

/** How a kind of wake-up is found in a tenant's schema. */
interface WakeUpSource {
  readonly kind: WakeUpKind;
  /** The rows that will wake the tenant: FROM and WHERE, of which one partial index gives the first by time. */
  readonly from: (tables: TenantTables) => string;
  /** When a row becomes due. */
  readonly at: string;
  /** Some can't be seen to when they are due: then what comes next is asked for apart, so that they don't hide it. */
  readonly mayStayDue: boolean;
}

/** All kinds of wake-ups. A new kind is an entry here, and what it does an entry in `engine/process`. */
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

/** What a query tells of a kind: the kind, and in how many milliseconds it is due. */
export type DueColumns = (due: { readonly kind: string; readonly inMs: string }) => string;

/** The first of each kind, due or not: a query for each. */
export function firstDue(tables: TenantTables, select: DueColumns): string[] {
  return SOURCES.map(({ kind, from, at }) =>
    firstOf(tables, { kind, from: from(tables), at }, select),
  );
}

/** The same, where what stays due does not hide what comes after it: it is told as due in 0 ms. */
export function nextDue(tables: TenantTables, select: DueColumns): string[] {
  return SOURCES.flatMap((source) => {
    const { kind, at } = source;
    const from = source.from(tables);
    if (!source.mayStayDue) return [firstOf(tables, { kind, from, at }, select)];
    return [
      `SELECT ${select({ kind: `'${kind}'`, inMs: '0::bigint' })}
        WHERE EXISTS (SELECT FROM ${from} AND ${at} <= ${tables.clock.statement})`,
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
  return `(SELECT ${select({ kind: `'${kind}'`, inMs: epochMs(`${at} - ${tables.clock.now}`) })}
      FROM ${from} ORDER BY ${at} LIMIT 1)`;
}
