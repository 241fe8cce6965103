import type pg from 'pg';
import { gate } from '../../support/gate.js';
import { poolsOf, processEngineOf, type OpenTenant } from '../../support/open-tenant.js';

type Query = (this: unknown, ...args: unknown[]) => unknown;
type Callback = (...answer: unknown[]) => void;

/**
 * Counts the points at which a process waits for the server, and stops it at one of them: before a statement is sent, or
 * before its answer is heard. Other statements go on.
 */
export class StatementPoints {
  /** Resolves when the point is reached. */
  readonly reached: Promise<string>;
  private readonly arrival = gate<string>();
  private readonly released = gate();
  private passed = 0;

  /** @param nth - the point to stop at, from 1 */
  constructor(
    tenant: OpenTenant,
    private readonly nth: number,
  ) {
    this.reached = this.arrival.passed;
    const { statements, general } = poolsOf(tenant);
    for (const pool of [...statements, general]) {
      for (const client of Reflect.get(pool, '_clients') as pg.Client[]) this.wrap(client);
      pool.on('connect', (client) => this.wrap(client));
    }
    const { session } = processEngineOf(tenant);
    this.wrap(Reflect.get(session ?? {}, 'session') as pg.Client);
  }

  release(): void {
    this.released.open();
  }

  /** Undefined unless this is the point. */
  private point(where: string): Promise<void> | undefined {
    if (++this.passed !== this.nth) return undefined;
    this.arrival.open(where);
    return this.released.passed;
  }

  private wrap(client: pg.Client): void {
    const send = Reflect.get(client, 'query') as Query;
    const point = (when: string, args: readonly unknown[]): Promise<void> | undefined =>
      this.point(`${when} ${textOf(args[0])}`);
    Reflect.set(client, 'query', function query(this: unknown, ...args: unknown[]): unknown {
      const stop = point('before', args);
      const callback = args.at(-1);
      if (typeof callback === 'function') {
        const hear = callback as Callback;
        args[args.length - 1] = (...answer: unknown[]): void => {
          const heard = point('after', args);
          if (heard === undefined) hear(...answer);
          else void heard.then(() => hear(...answer));
        };
        if (stop === undefined) return Reflect.apply(send, this, args);
        return stop.then(() => void Reflect.apply(send, this, args));
      }
      const sent = (stop ?? Promise.resolve()).then(() => Reflect.apply(send, this, args));
      return sent.then(async (result) => {
        await point('after', args);
        return result;
      });
    });
  }
}

function textOf(query: unknown): string {
  const text: unknown =
    typeof query === 'object' && query !== null ? Reflect.get(query, 'text') : query;
  return String(text).replaceAll(/\s+/g, ' ').slice(0, 80);
}
