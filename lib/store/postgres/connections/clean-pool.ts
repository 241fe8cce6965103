import pg from 'pg';
import { clean, isClean } from './session-state.js';

type ConnectCallback = (
  error: Error | undefined,
  client: pg.PoolClient | undefined,
  release: (error?: Error | boolean) => void,
) => void;

/**
 * A pool whose connections user code uses too. The library's own statements get connections by `connect()` and `query()`,
 * which first remove whatever user code left in the session. Data sources bypass this, see `shared-pool-driver.ts`.
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
        // The failed connection is closed. Continue with another one, or with a new one.
        release(failure);
        this.connectClean(callback);
      });
    });
  }
}
