import type { TenantTables } from './statement.js';

/** How long a holder without a row counts as holding. */
const YOUNG = "interval '1 minute'";
/** Tokens have 53 bits. Their distance is compared, because the count in them begins again after a million claims. */
const TOKEN_MASK = '9007199254740991';
const HALF_OF_TOKENS = '4503599627370496';

/** The arrays of a slot's row, each with one place for each holder. */
export const HOLDER_COLUMNS = ['h_execution', 'h_task', 'h_item', 'h_token', 'h_at'] as const;

/** Which holders hold their slots, as conditions. */
export interface Holding {
  /** The holders are compared with the rows of their tasks. Else all of them count, which is right but may be too many. */
  readonly isDoubtful: string;
  /** A task holds its slot until it has ended, also between its runs. Default: only while it runs. */
  readonly untilEnd?: string | undefined;
}

/** As {@link Holding}, where a number of free slots is enough. */
export interface EnoughSlots {
  readonly isDoubtful: string;
  /** An expression: the number of holders to find that hold no more. */
  readonly enough: string;
}

/**
 * A lateral sub-select with the holders of the slots of row `s` that hold them still, and their number `held`.
 *
 * A slot is a pair of a task and the token of its claim. Every way out of Running moves the token on, so the slot is free
 * without a statement that frees it, and no slot can leak. The row of the task may be read from an older snapshot than the
 * row of the slots, which is read under its lock. An old row has an older token, which counts as holding. So an old snapshot
 * makes the claim take too few tasks, never too many. Two cases need care:
 *
 * - A task that is younger than the snapshot has no row in it. For a minute, a missing row means that it holds.
 * - A deleted task has none either. After that minute, a missing row means that it is free.
 *
 * With `untilEnd`, a task whose token has moved on holds its slot as long as its row says that it will run again. In a row
 * with the token of the claim or a later one, this is no older than the claim. A task that a manual retry has put before its
 * dependencies again is NotStarted, and holds nothing: it may wait for a task of the same key.
 */
export function holdersOf(tables: TenantTables, { isDoubtful, untilEnd }: Holding): string {
  return `(
      SELECT ${ALL_HOLDERS}, cardinality(s.h_execution) AS held
      WHERE (${isDoubtful}) IS NOT TRUE
      UNION ALL
      SELECT ${AGGREGATED}, count(*)::integer AS held
      FROM ${comparedHolders(tables, untilEnd)}
      WHERE ${isHeld(tables, untilEnd)}
      HAVING (${isDoubtful}) IS TRUE
    )`;
}

/**
 * The same, but the holders are compared in the order of their claims, and only until `enough` of them are found that hold no
 * more. The others count as holding. So most holders are looked up once, and not with each claim while they run. `is_cut`
 * says whether there may be more such holders.
 */
export function firstHoldersOf(tables: TenantTables, { isDoubtful, enough }: EnoughSlots): string {
  const behind = HOLDER_COLUMNS.map((column) => `s.${column}[g.count + 1:]`).join(', ');
  return `(
      SELECT ${ALL_HOLDERS}, cardinality(s.h_execution) AS held, false AS is_cut
      WHERE (${isDoubtful}) IS NOT TRUE
      UNION ALL
      SELECT h.*, cardinality(s.h_execution) - g.count AS held, g.count >= ${enough} AND g.count < cardinality(s.h_execution)
      FROM (
        SELECT coalesce(array_agg(f.place), '{}') AS places, coalesce(max(f.place), 0) AS last, count(*)::integer AS count
        FROM (
          SELECT h.place
          FROM ${comparedHolders(tables)}
          WHERE NOT ${isHeld(tables)}
          LIMIT ${enough}
        ) f
        HAVING (${isDoubtful}) IS TRUE
      ) g CROSS JOIN LATERAL (
        SELECT ${behind} WHERE g.last = g.count
        UNION ALL
        SELECT ${AGGREGATED} FROM ${LISTED_HOLDERS} WHERE h.place <> ALL (g.places) HAVING g.last > g.count
      ) h
    )`;
}

const ALL_HOLDERS = HOLDER_COLUMNS.map((column) => `s.${column}`).join(', ');
const LISTED_HOLDERS =
  'unnest(s.h_execution, s.h_task, s.h_item, s.h_token, s.h_at) WITH ORDINALITY AS h(e, n, i, tok, at, place)';
const AGGREGATED = ['e', 'n', 'i', 'tok', 'at']
  .map((column, i) => `coalesce(array_agg(h.${column}), '{}') AS ${HOLDER_COLUMNS[i]}`)
  .join(', ');

/** FROM: the holders `h` of slot `s`, each with the row `t` of its task. */
function comparedHolders(tables: TenantTables, untilEnd?: string): string {
  return `${LISTED_HOLDERS}
        LEFT JOIN LATERAL (
          SELECT t.claim_token AS now${untilEnd === undefined ? '' : ', t.status'} FROM ${tables.task} t
          WHERE t.execution_id = h.e AND t.task_no = h.n AND t.item_no = h.i
          LIMIT 1
        ) t ON true`;
}

/** A condition: the holder `h` holds its slot, by the row `t` of its task. */
function isHeld(tables: TenantTables, untilEnd?: string): string {
  const movedOn = `(t.now - h.tok) & ${TOKEN_MASK} BETWEEN 1 AND ${HALF_OF_TOKENS}`;
  const stays =
    untilEnd === undefined ? '' : ` OR ${untilEnd} AND t.status IN ('Ready', 'Running', 'Waiting')`;
  return `CASE
        WHEN t.now IS NULL THEN h.at > ${tables.clock.statement} - ${YOUNG}
        ELSE NOT ${movedOn}${stays}
      END`;
}

/** A lateral sub-select: the holders in the arrays of `row`, without those of `gone`, a condition on a holder `h`. */
export function holdersWithout(row: string, gone: string): string {
  return `(
      SELECT coalesce(array_agg(h.e), '{}') AS h_execution, coalesce(array_agg(h.n), '{}') AS h_task,
             coalesce(array_agg(h.i), '{}') AS h_item, coalesce(array_agg(h.tok), '{}') AS h_token,
             coalesce(array_agg(h.at), '{}') AS h_at
      FROM unnest(${row}.h_execution, ${row}.h_task, ${row}.h_item, ${row}.h_token, ${row}.h_at) AS h(e, n, i, tok, at)
      WHERE NOT (${gone})
    )`;
}

/**
 * The assignments that add to the holders of row `s` those of `added`, both from CTEs with the arrays.
 *
 * @param areKept - a condition: whether the holders are kept at all
 */
export function withHolders(kept: string, added: string, areKept = 'true'): string {
  return HOLDER_COLUMNS.map(
    (column) =>
      `${column} = CASE WHEN ${areKept} THEN ${kept}.${column} || ${added}.${column} ELSE '{}' END`,
  ).join(', ');
}

/** The arrays of the claims `c` of a group. */
export function holdersOfClaims(tables: TenantTables): string {
  return (
    'array_agg(c.execution_id) AS h_execution, array_agg(c.task_no) AS h_task, array_agg(c.item_no) AS h_item, ' +
    `array_agg(c.claim_token) AS h_token, array_agg(${tables.clock.statement}) AS h_at`
  );
}
