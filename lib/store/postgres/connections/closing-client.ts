import pg from 'pg';
import { destroySocket } from './destroy-socket.js';

/** As the driver's types have it: an error, or none and the client. */
type ConnectCallback = ((error: Error) => void) | ((error: null, client: pg.Client) => void);

/**
 * A client that leaves no socket open when it could not connect. The driver does, where it refuses a login by itself
 * (`SASL: …`): the server then waits a minute for the rest of the login, and the process doesn't end before.
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
