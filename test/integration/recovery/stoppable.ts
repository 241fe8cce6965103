import type pg from 'pg';
import { textOf } from '../../faults/workload/failpoints.js';
import { gate, type Gate } from '../../support/gate.js';
import { poolsOf, processEngineOf, type OpenTenant } from '../../support/open-tenant.js';

type Query = (this: unknown, ...args: unknown[]) => unknown;

/**
 * Stops what counts as a process between two instants, as SIGSTOP does: none of its statements is sent until it goes
 * on. And takes fences out of its statements, for control runs.
 */
export class Stoppable {
  private stopping: { readonly part: string; left: number } | undefined;
  private reached = gate();
  private released: Gate | undefined;
  private readonly rewrites: (readonly [part: string, by: string])[] = [];
  /** Statements that the server has not answered yet. */
  underWay = 0;
  /** How often a fence was taken out of a statement. */
  rewritten = 0;

  constructor(tenant: OpenTenant) {
    const { statements, general } = poolsOf(tenant);
    for (const pool of [...statements, general]) {
      for (const client of Reflect.get(pool, '_clients') as pg.Client[]) this.wrap(client);
      pool.on('connect', (client) => this.wrap(client));
    }
    const { session } = processEngineOf(tenant);
    this.wrap(Reflect.get(session ?? {}, 'session') as pg.Client);
  }

  /**
   * Resolves when the process is about to send a statement that has `part` in its text, and is stopped there.
   *
   * @param nth - of those statements, counted from now
   */
  async stopBefore(part: string, nth = 1): Promise<void> {
    this.stopping = { part, left: nth };
    await this.reached.passed;
  }

  stop(): void {
    this.released ??= gate();
  }

  goOn(): void {
    this.stopping = undefined;
    this.reached = gate();
    this.released?.open();
    this.released = undefined;
  }

  /** From now on `part` of its statements' texts is another. */
  rewrite(part: string, by: string): void {
    this.rewrites.push([part, by]);
  }

  private wrap(client: pg.Client): void {
    const send = Reflect.get(client, 'query') as Query;
    // oxlint-disable-next-line typescript/no-this-alias -- the function below has the client's
    const process = this;
    Reflect.set(client, 'query', function query(this: unknown, ...args: unknown[]): unknown {
      const text = textOf(args[0]);
      process.look(text);
      args[0] = process.tampered(args[0], text);
      const { released } = process;
      process.underWay++;
      const answered = (): void => void process.underWay--;
      const callback = args.at(-1);
      if (typeof callback === 'function') {
        args[args.length - 1] = (...answer: unknown[]): void => {
          answered();
          Reflect.apply(callback, undefined, answer);
        };
      }
      const sent =
        released === undefined
          ? Reflect.apply(send, this, args)
          : released.passed.then(() => Reflect.apply(send, this, args));
      if (typeof callback !== 'function') (sent as Promise<unknown>).then(answered, answered);
      return sent;
    });
  }

  private look(text: string): void {
    const { stopping } = this;
    if (stopping === undefined || !text.includes(stopping.part) || --stopping.left > 0) return;
    this.stop();
    this.reached.open();
  }

  private tampered(query: unknown, text: string): unknown {
    const rewrites = this.rewrites.filter(([part]) => text.includes(part));
    if (rewrites.length === 0 || typeof query !== 'object' || query === null) return query;
    this.rewritten++;
    // Without its name: the server knows another text by it.
    const other = { ...query, text: rewrites.reduce((all, [a, b]) => all.replaceAll(a, b), text) };
    Reflect.deleteProperty(other, 'name');
    return other;
  }
}
