import pg from 'pg';

/** Where the connections of an admin end: before the server got a statement, or after it, before the answer. */
export interface Interruption {
  /** Which statement it is, by its text or its number from 0. */
  readonly at: (text: string, index: number) => boolean;
  readonly when: 'before' | 'after';
}

/**
 * Does `work` as a process would that is killed at that point: all its connections end, and nothing it sends after
 * that arrives. Returns the text of the statement at which it happened, or undefined when `work` came to its end.
 */
export async function interrupted(
  { at, when }: Interruption,
  work: () => Promise<unknown>,
): Promise<string | undefined> {
  const prototype = pg.Client.prototype;
  const original: unknown = Reflect.get(prototype, 'query');
  if (typeof original !== 'function') throw new Error('pg has changed');
  const clients = new Set<pg.Client>();
  let sent = 0;
  let killedAt: string | undefined;
  const kill = (text: string): void => {
    killedAt = text;
    for (const client of clients) endSocket(client);
  };
  const send = async (client: pg.Client, args: readonly unknown[]): Promise<unknown> => {
    clients.add(client);
    const text = textOf(args[0]);
    const isIt = killedAt === undefined && at(text, sent++);
    if (isIt && when === 'before') kill(text);
    if (killedAt !== undefined) {
      endSocket(client);
      throw new Error('Killed.');
    }
    const result: unknown = await Reflect.apply(original, client, args);
    if (isIt) {
      kill(text);
      throw new Error('Killed.');
    }
    return result;
  };
  Reflect.set(prototype, 'query', function query(this: pg.Client, ...args: unknown[]): unknown {
    if (!isAdmin(this)) return Reflect.apply(original, this, args);
    const callback = args.at(-1);
    if (typeof callback !== 'function') return send(this, args);
    const tell = callback as (error: unknown, result?: unknown) => void;
    send(this, args.slice(0, -1)).then((result) => tell(null, result), tell);
    return undefined;
  });
  try {
    await work().catch((error: unknown) => {
      if (killedAt === undefined) throw error;
    });
  } finally {
    Reflect.set(prototype, 'query', original);
  }
  return killedAt;
}

function isAdmin(client: pg.Client): boolean {
  const parameters: unknown = Reflect.get(client, 'connectionParameters');
  return (
    typeof parameters === 'object' &&
    parameters !== null &&
    Reflect.get(parameters, 'application_name') === 'cloacina-admin'
  );
}

function endSocket(client: pg.Client): void {
  const connection = Reflect.get(client, 'connection') as { stream: { destroy(): void } };
  connection.stream.destroy();
}

function textOf(statement: unknown): string {
  if (typeof statement === 'string') return statement;
  const text: unknown = Reflect.get(Object(statement), 'text');
  return typeof text === 'string' ? text : '';
}
