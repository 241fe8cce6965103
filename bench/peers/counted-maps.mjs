/**
 * Maps of contenders that have none: a row for each map counts its open items. The transaction that takes the last one off
 * also adds the job after the map.
 */
export const CREATE_MAPS =
  'CREATE TABLE IF NOT EXISTS bench_map (id uuid PRIMARY KEY, open integer NOT NULL)';

export const INSERT_MAP = 'INSERT INTO bench_map (id, open) VALUES ($1, $2)';

/** Returns a row for the map if its last item has ended. */
export const COUNT_DOWN =
  'UPDATE bench_map SET open = open - $2 WHERE id = $1 RETURNING open = 0 AS "isOver"';
