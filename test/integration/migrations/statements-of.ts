import pg from 'pg';

/** The text of every statement that is sent, on whatever connection, while `run` is at work. */
export async function statementsOf(run: () => Promise<unknown>): Promise<string[]> {
  const prototype = pg.Client.prototype;
  const send: unknown = Reflect.get(prototype, 'query');
  if (typeof send !== 'function') throw new Error('pg has changed');
  const statements: string[] = [];
  Reflect.set(prototype, 'query', function query(this: pg.Client, ...args: unknown[]): unknown {
    statements.push(textOf(args[0]));
    return Reflect.apply(send, this, args);
  });
  try {
    await run();
  } finally {
    Reflect.set(prototype, 'query', send);
  }
  return statements;
}

/** A statement is sent as its text, or as an object that has it. */
export function textOf(statement: unknown): string {
  return String(typeof statement === 'string' ? statement : Reflect.get(Object(statement), 'text'));
}
