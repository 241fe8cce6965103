import { columns, epochMs, json, long, orNull, text } from './columns.js';
import { NO_COLUMNS, type Statement } from './statement.js';
import type { StateRecord } from '../../port/index.js';

const STATE = columns({ name: text, value: orNull(json), updatedAt: long });

export const readStates: Statement<StateRecord> = {
  name: 'read_states',
  columns: STATE,
  text: (tables) => `SELECT ${STATE.select({
    name: 's.name',
    value: 's.value',
    updatedAt: epochMs('s.updated_at'),
  })}
  FROM ${tables.state} s WHERE s.name IN (SELECT json_array_elements_text($1::json))`,
};

export const setState: Statement = {
  name: 'set_state',
  columns: NO_COLUMNS,
  text: (tables) => `INSERT INTO ${tables.state} AS s (name, value) VALUES ($1, $2)
  ON CONFLICT (name) DO UPDATE SET value = EXCLUDED.value, updated_at = ${tables.clock.now}`,
};

const NAMED = columns({ name: text });

/**
 * Sets a value that is still the one that was read. The comparison is made under the lock of the row, with the row's newest
 * version, so of two transactions that have read the same value one sets nothing. The column is `json`, not `jsonb`, and
 * keeps the text as it was written: equal texts are the same value. A row that has been deleted counts as changed.
 */
export const replaceState: Statement<{ name: string }> = {
  name: 'replace_state',
  columns: NAMED,
  text: (tables) => `INSERT INTO ${tables.state} AS s (name, value)
  SELECT $1::text, $2::json
  WHERE $3::text IS NULL OR EXISTS (SELECT FROM ${tables.state} x WHERE x.name = $1::text)
  ON CONFLICT (name) DO UPDATE SET value = EXCLUDED.value, updated_at = ${tables.clock.now}
    WHERE s.value::text IS NOT DISTINCT FROM $3::text
  RETURNING ${NAMED.select({ name: 's.name' })}`,
};
