import type pg from 'pg';
import { gate } from '../../support/gate.js';
import { poolsOf, processEngineOf, type OpenTenant } from '../../support/open-tenant.js';

type Query = (this: unknown, ...args: unknown[]) => unknown;
type Callback = (...answer: unknown[]) => void;

/** Which point it is: by when it is and the text of the statement, or by its number from 0. */
export type Point = (where: string, index: number) => boolean;

export function at(when: 'before' | 'after', text: string): Point {
  return (where) => where.startsWith(`${when} ${text}`);
}

/** The points of the work, one after the other, or every so many; without end. */
export function* everyPoint(every = 1): Generator<Point> {
  for (let nth = 0; ; nth += every) yield (_where, index) => index === nth;
}

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
  private isOver = false;

  /** @param isPoint - whether it is the point to stop at; the first one is */
  constructor(
    tenant: OpenTenant,
    private readonly isPoint: Point,
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
    if (this.isOver || !this.isPoint(where, this.passed++)) return undefined;
    this.isOver = true;
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
