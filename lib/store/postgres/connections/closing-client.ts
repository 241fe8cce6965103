import pg from 'pg';
import { destroySocket } from './destroy-socket.js';

/** Matches the driver's types: called with an error, or with null and the client. */
type ConnectCallback = ((error: Error) => void) | ((error: null, client: pg.Client) => void);

/**
 * A client that closes its socket if it fails to connect. The driver leaves the socket open if it rejects the login itself
 * (`SASL: …`). The server then waits a minute for the rest of the login, and the process cannot exit until then.
 */
export class ClosingClient extends pg.Client {
  override connect(): Promise<pg.Client>;
  override connect(callback: ConnectCallback): void;
  override connect(callback?: ConnectCallback): Promise<pg.Client> | undefined {
    if (callback === undefined) {
      return super.connect().catch((error: unknown) => {
        destroySocket(this);
        throw error;
      });
    }
    const finish = callback as (error: Error | null, client: pg.Client) => void;
    super.connect((error: Error | null) => {
      if (error instanceof Error) destroySocket(this);
      finish(error, this);
    });
    return undefined;
  }
}
