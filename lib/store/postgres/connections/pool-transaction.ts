import type pg from 'pg';
import { untraced } from '../../../runtime/untraced.js';
import { withAnswerTimeout } from './destroy-socket.js';

/**
 * Runs `work` in a transaction of the library on a connection of the pool, without TypeORM. Rolls back if `work` rejects,
 * and rejects with the same error. Also rolls back if `isKept` returns false for the result.
 *
 * @param lockTimeoutMs - how long its statements may wait for a lock. Default: as long as the connection allows
 */
export function inPoolTransaction<T>(
  pool: pg.Pool,
  work: (client: pg.PoolClient) => Promise<T>,
  isKept: (result: T) => boolean = () => true,
  lockTimeoutMs?: number,
): Promise<T> {
  const limit = lockTimeoutMs === undefined ? '' : `; SET LOCAL lock_timeout = ${lockTimeoutMs}`;
  return untraced(() => transactionOn(pool, `BEGIN${limit}`, work, isKept));
}

async function transactionOn<T>(
  pool: pg.Pool,
  begin: string,
  work: (client: pg.PoolClient) => Promise<T>,
  isKept: (result: T) => boolean,
): Promise<T> {
  const client = await pool.connect();
  let broken: Error | undefined;
  // A broken connection rejects its queries and then emits an error, which would end the process without a listener.
  const onError = (error: Error): void => void (broken = error);
  client.on('error', onError);
  try {
    await answered(client, begin);
    const result = await work(client);
    await answered(client, isKept(result) ? 'COMMIT' : 'ROLLBACK');
    return result;
  } catch (error) {
    await answered(client, 'ROLLBACK').catch((reason: Error) => (broken = reason));
    throw error;
  } finally {
    client.release(broken);
    client.off('error', onError);
  }
}

async function answered(client: pg.PoolClient, text: string): Promise<void> {
  await withAnswerTimeout(client, () => client.query(text));
}
