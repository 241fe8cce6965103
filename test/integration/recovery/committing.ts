import type pg from 'pg';
import type { EntityManager } from 'typeorm';
import { textOf } from '../../faults/workload/failpoints.js';

/** What the connection of a transaction does instead of sending COMMIT and telling its reply. */
export function whileCommitting(
  { queryRunner }: Pick<EntityManager, 'queryRunner'>,
  commit: (send: () => Promise<unknown>, client: pg.Client) => Promise<unknown>,
): void {
  if (queryRunner === undefined) throw new Error('There is no transaction.');
  const client = Reflect.get(queryRunner, 'databaseConnection') as pg.Client;
  const send = client.query.bind(client) as (...args: unknown[]) => Promise<unknown>;
  const query = (...args: unknown[]): Promise<unknown> =>
    textOf(args[0]) === 'COMMIT' ? commit(() => send(...args), client) : send(...args);
  // The library sends what it sends by the client beneath this one.
  const hooked = new Proxy(client, {
    get: (target, name) => (name === 'query' ? query : (Reflect.get(target, name) as unknown)),
  });
  Reflect.set(queryRunner, 'databaseConnection', hooked);
}

export function cutOff(client: pg.Client): Error {
  const connection: unknown = Reflect.get(client, 'connection');
  (Reflect.get(connection as object, 'stream') as { destroy(): void }).destroy();
  return new Error('Connection terminated unexpectedly');
}
