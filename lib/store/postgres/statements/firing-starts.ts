import { unsettledBy } from './admission-slots.js';
import { bigint, columns, long, orNull } from './columns.js';
import { plainArray } from './encoding.js';
import {
  fromMissingDefinitions,
  insertUnclaimedTasks,
  START_COLUMNS,
  startNames,
} from './start-clauses.js';
import { labelColumns, startColumns } from './start-values.js';
import type { TenantTables } from './statement.js';
import type { NewFiring } from '../../port/index.js';

/** A schedule that has fired, by its index, or a definition that is not stored. */
export const FIRED = columns({ index: long, missingDefinition: orNull(bigint) });
export type FiredRow = ReturnType<typeof FIRED.decode>[number];

/** The parameters that each statement has in another place. */
interface FiringParameters {
  readonly tags: string;
  readonly limitKeys: string;
  readonly admissionKeys: string;
  readonly startBefore: string;
  readonly traces: string;
}

/**
 * The CTEs that create the executions of the firings in the CTE `firing`, with their tasks. The parameters from 1 to 16 are
 * the columns of the starts. Their root tasks are not claimed: the firings of many schedules come at one instant, and the
 * usual claims share them out between the processes. An execution whose workflow has an admission waits for its turn.
 */
export function startsOfFirings(
  tables: TenantTables,
  { tags, limitKeys, admissionKeys, startBefore, traces }: FiringParameters,
): string {
  const { clock, execution } = tables;
  return `e AS MATERIALIZED (
    SELECT e.*, f.schedule, f.scheduled_for FROM ROWS FROM (
      ${START_COLUMNS}, json_array_elements_text(${tags}::json),
      json_array_elements_text(${limitKeys}::json), json_array_elements_text(${admissionKeys}::json),
      unnest(${startBefore}::bigint[]),
      json_array_elements_text(${traces}::json)
    ) AS e(${startNames()}, tags, limit_keys, admission_key, start_before_ms, trace_context)
      JOIN firing f ON f.execution_id = e.id
  ), execution AS (
    INSERT INTO ${execution} (id, workflow, definition_id, status, priority, input, remaining_leaves, timeout_ms, deadline_at,
                              tags, schedule, scheduled_for, admission_key, trace_context, run_at, unsettled)
    SELECT id, workflow, definition_id, 'Pending', priority, input::json, leaves, timeout_ms,
           ${clock.transaction} + start_before_ms * interval '1 millisecond', tags::jsonb, schedule, scheduled_for, admission_key,
           trace_context, CASE WHEN admission_key IS NOT NULL THEN ${clock.transaction} END,
           ${unsettledBy('admission_key')}
    FROM e
  ), task AS (
    ${insertUnclaimedTasks(tables, clock.transaction)}
  )`;
}

/** The rows of the definitions that are not stored, of those in parameter `ids`. */
export function selectMissingDefinitions(tables: TenantTables, ids: string): string {
  return `UNION ALL SELECT ${FIRED.selectSome({ index: '-1', missingDefinition: 'u.id' })} ${fromMissingDefinitions(tables, ids)}`;
}

/** The parameters of the executions of some firings: the first sixteen, and those that each statement has in another place. */
export function firingStartValues(firings: readonly Pick<NewFiring, 'start'>[]): {
  readonly first: readonly unknown[];
  readonly tags: unknown;
  readonly limitKeys: unknown;
  readonly admissionKeys: unknown;
  readonly traces: unknown;
  readonly definitionIds: unknown;
  readonly startBefore: unknown;
} {
  const starts = firings.flatMap(({ start }) => start ?? []);
  const { values, plans } = startColumns(starts);
  return {
    first: values,
    ...labelColumns(starts),
    // A firing that is late has a later start, and as much time as others.
    startBefore: plainArray(starts.map(({ startBefore }) => startBefore?.inMs)),
    definitionIds: plainArray(plans.map(({ definitionId }) => definitionId)),
  };
}
