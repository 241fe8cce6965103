import pg from 'pg';
import { afterFile } from './after-file.js';

const query = Reflect.get(pg.Client.prototype, 'query') as (...args: unknown[]) => unknown;
const watchers = new Set<SentStatements>();
afterFile(async () => {
  watchers.clear();
  Reflect.set(pg.Client.prototype, 'query', query);
});

/** A statement that a process of the library has sent. */
export interface SentStatement {
  readonly text: string;
  /** The id of the process. */
  readonly by: string;
}

/** All statements that this Node process sends on the library's connections, from its construction on. */
export class SentStatements {
  readonly all: SentStatement[] = [];

  constructor() {
    if (watchers.size === 0) Reflect.set(pg.Client.prototype, 'query', noted);
    watchers.add(this);
  }

  /** Those that contain the part. */
  with(part: string): SentStatement[] {
    return this.all.filter(({ text }) => text.includes(part));
  }

  forget(): void {
    this.all.length = 0;
  }
}

function noted(this: object, ...args: unknown[]): unknown {
  const { application_name: name = '' } = Reflect.get(this, 'connectionParameters') as {
    application_name?: string;
  };
  const [first] = args;
  const text = typeof first === 'string' ? first : String(Reflect.get(Object(first), 'text'));
  if (name.startsWith('cloacina:')) {
    const by = name.slice('cloacina:'.length);
    for (const { all } of watchers) all.push({ text, by });
  }
  return Reflect.apply(query, this, args);
}

/**
 * Whether the process sends the statement at a time of its own: it announces itself, reads for all its tenants in a round, and
 * searches claims after its boot, beside its first work.
 */
export function isOwnLook(text: string): boolean {
  return /^SELECT \d+ AS "tenant"|^WITH living AS|unlisted AS MATERIALIZED/.test(text);
}
