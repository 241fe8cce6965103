import pg from 'pg';
import { clean, isClean } from './session-state.js';

type ConnectCallback = (
  error: Error | undefined,
  client: pg.PoolClient | undefined,
  release: (error?: Error | boolean) => void,
) => void;

/**
 * A pool whose connections user code has, too. Who takes one by `connect()` or `query()`, which are the library's own
 * statements, gets one on which user code has left nothing. Data sources take theirs around it, see
 * `shared-pool-driver.ts`.
 */
export class CleanPool extends pg.Pool {
  override connect(): Promise<pg.PoolClient>;
  override connect(callback: ConnectCallback): void;
  override connect(callback?: ConnectCallback): Promise<pg.PoolClient> | undefined {
    if (callback !== undefined) {
      this.connectClean(callback);
      return undefined;
    }
    return new Promise((resolve, reject) => {
      this.connectClean((error, client) => {
        if (client === undefined) reject(error ?? new Error('The pool gave no connection.'));
        else resolve(client);
      });
    });
  }

  private connectClean(callback: ConnectCallback): void {
    super.connect((error, client, release) => {
      if (client === undefined || isClean(client)) {
        callback(error, client, release);
        return;
      }
      clean(client, (failure) => {
        if (failure === undefined) {
          callback(undefined, client, release);
          return;
        }
        // It is closed, and there are fewer of its kind: another one, or a new one.
        release(failure);
        this.connectClean(callback);
      });
    });
  }
}
