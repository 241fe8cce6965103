import type pg from 'pg';

/**
 * A transaction of the library's own on a connection of the pool, without TypeORM. Rolls back, and rejects with the
 * same error, when `work` rejects; and when what it resolves with isn't worth keeping.
 */
export async function inPoolTransaction<T>(
  pool: pg.Pool,
  work: (client: pg.PoolClient) => Promise<T>,
  isKept: (result: T) => boolean = () => true,
): Promise<T> {
  const client = await pool.connect();
  let broken: Error | undefined;
  // A connection that ends says so to its queries and then once more; without a listener that would end the process.
  const onError = (error: Error): void => void (broken = error);
  client.on('error', onError);
  try {
    await client.query('BEGIN');
    const result = await work(client);
    await client.query(isKept(result) ? 'COMMIT' : 'ROLLBACK');
    return result;
  } catch (error) {
    await client.query('ROLLBACK').catch((reason: Error) => (broken = reason));
    throw error;
  } finally {
    client.release(broken);
    client.off('error', onError);
  }
}
