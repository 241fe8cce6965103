import pg from 'pg';

/**
 * The text of every statement that is sent, on whatever connection, while `run` is at work.
 *
 * @param processId - only those of this process
 */
export async function statementsOf(
  run: () => Promise<unknown>,
  processId?: string,
): Promise<string[]> {
  const prototype = pg.Client.prototype;
  const send: unknown = Reflect.get(prototype, 'query');
  if (typeof send !== 'function') throw new Error('pg has changed');
  const statements: string[] = [];
  Reflect.set(prototype, 'query', function query(this: pg.Client, ...args: unknown[]): unknown {
    if (processId === undefined || isOf(this, processId)) statements.push(textOf(args[0]));
    return Reflect.apply(send, this, args);
  });
  try {
    await run();
  } finally {
    Reflect.set(prototype, 'query', send);
  }
  return statements;
}

/** Whether the connection is one of the process. */
function isOf(client: pg.Client, processId: string): boolean {
  const parameters = Reflect.get(client, 'connectionParameters') as { application_name?: string };
  return parameters.application_name?.endsWith(processId) === true;
}

/** A statement is sent as its text, or as an object that has it. */
export function textOf(statement: unknown): string {
  return String(typeof statement === 'string' ? statement : Reflect.get(Object(statement), 'text'));
}
