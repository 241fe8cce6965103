import type pg from 'pg';

/** A move of a schema, as both of its servers know it. */
export interface Move {
  /** The schema, which has the same name on both servers. */
  readonly schema: string;
  /** A UUID, the same on both servers. */
  readonly moveId: string;
  /** The name of the other server. */
  readonly peer: string;
}

/** The setting that lets a session write to a schema that refuses writes. Its value is the id of the move. */
export const MOVE_SETTING = 'cloacina.move';

/**
 * Runs `work` in a transaction that may write to a schema of the move, also while the schema refuses other writes.
 *
 * @param moveId - undefined for a transaction that only reads, or that no fence stops
 */
export async function inMoveTransaction<T>(
  client: pg.ClientBase,
  moveId: string | undefined,
  work: () => Promise<T>,
): Promise<T> {
  await client.query('BEGIN');
  try {
    if (moveId !== undefined) await passFence(client, moveId);
    const result = await work();
    await client.query('COMMIT');
    return result;
  } catch (error) {
    await client.query('ROLLBACK').catch(() => undefined);
    throw error;
  }
}

/** Lets the rest of the client's transaction write to a schema of the move that refuses other writes. */
async function passFence(client: pg.ClientBase, moveId: string): Promise<void> {
  await client.query(`SELECT pg_catalog.set_config('${MOVE_SETTING}', $1::text, true)`, [moveId]);
}
