import type pg from 'pg';
import { isPooled } from './pooler.js';

/**
 * Statements that one connection keeps prepared at most. Each costs the server some 70 kB, for each tenant anew: with
 * all of a thousand tenants it would be hundreds of megabytes a connection.
 */
const MAX_PREPARED = 200;
/** What is made room for at a time, so that a round trip for it is rare. */
const DROPPED_TOGETHER = 20;

/** The statements that one connection has prepared, by name, with their texts; the least recently used first. */
class PreparedStatements {
  private readonly texts = new Map<string, string>();

  /** The text, and the names of others that have to go for it. */
  use(name: string, text: () => string): { readonly text: string; readonly dropped: string[] } {
    const known = this.texts.get(name);
    const used = known ?? text();
    this.texts.delete(name);
    this.texts.set(name, used);
    const dropped =
      this.texts.size > MAX_PREPARED ? [...this.texts.keys()].slice(0, DROPPED_TOGETHER) : [];
    for (const other of dropped) this.texts.delete(other);
    return { text: used, dropped };
  }

  /** It failed, so the server may not have it. */
  forget(name: string): void {
    this.texts.delete(name);
  }
}

/** `pooled`: what is prepared would be on one of the pooler's connections, and the next statement on another. */
const byConnection = new WeakMap<pg.ClientBase, PreparedStatements | 'pooled'>();

/**
 * Runs a statement that the connection keeps prepared, within its bound: others that were not used for the longest
 * time are dropped for it.
 */
export async function runPrepared<R extends unknown[]>(
  client: pg.ClientBase,
  name: string,
  text: () => string,
  config: Omit<pg.QueryArrayConfig, 'name' | 'text'>,
): Promise<pg.QueryArrayResult<R>> {
  let prepared = byConnection.get(client);
  if (prepared === undefined) {
    prepared = (await isPooled(client)) ? 'pooled' : new PreparedStatements();
    byConnection.set(client, prepared);
  }
  if (prepared === 'pooled') return client.query<R>({ ...config, text: text() });
  const use = prepared.use(name, text);
  if (use.dropped.length > 0) {
    await client.query(use.dropped.map((other) => `DEALLOCATE ${other}`).join(';'));
    for (const other of use.dropped) forgetIn(client, other);
  }
  try {
    return await client.query<R>({ ...config, name, text: use.text });
  } catch (error) {
    prepared.forget(name);
    throw error;
  }
}

/** The driver knows by name what it has prepared, and would go on to use what the server has dropped. */
function forgetIn(client: pg.ClientBase, name: string): void {
  const connection: unknown = Reflect.get(client, 'connection');
  const known: unknown =
    typeof connection === 'object' && connection !== null
      ? Reflect.get(connection, 'parsedStatements')
      : undefined;
  if (typeof known === 'object' && known !== null) Reflect.deleteProperty(known, name);
}
