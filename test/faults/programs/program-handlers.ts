import { randomUUID } from 'node:crypto';
import { appendFileSync, existsSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { EntityManager } from 'typeorm';
import type { JsonObject } from '../../../lib/discovery/context-types.js';
import type { TaskContext } from '../../../lib/discovery/task-context.js';
import { NonRetryableError } from '../../../lib/errors/index.js';
import { eventKey, Item, News, SHARED_KEY, signalOf, type Payload } from './messages.js';
import {
  childPath,
  sharedKey,
  TELLER,
  type Op,
  type ProgramInput,
  type ProgramTask,
} from './program.js';

/** One line of the log. `did`: the work of a step was done. `got`: a durable point returned to a run. */
export interface Note {
  readonly what: 'did' | 'got';
  readonly by: string;
  readonly run: string;
  readonly executionId: string;
  readonly task: string;
  readonly name: string;
  readonly value: unknown;
  /** Milliseconds since 1970, by this machine's clock, which is the server's too. */
  readonly at: number;
}

export interface HandlerSettings {
  readonly name: string;
  readonly folder: string;
}

type Context = TaskContext<ProgramInput & JsonObject>;

/** Where the processes of a run write down what their handlers did. */
export const LOG = 'points.log';

/** What the tasks of the programs do. */
export class ProgramHandlers {
  constructor(private readonly settings: HandlerSettings) {}

  /** Runs the points of a task, and returns what each of them returned. */
  async handle({ name, ops, transactional }: ProgramTask, context: Context): Promise<JsonObject> {
    const points = new TaskPoints(this.settings, context, transactional === true);
    const values: [string, unknown][] = [];
    for (const op of ops) values.push([op.name, await points.run(op)]);
    return { [name]: values };
  }

  /** The task of a teller. An execution that has ended needs no answer any more. */
  async tell(context: Context): Promise<JsonObject> {
    const { to = '', name = '' } = context.get('tell') ?? {};
    const payload: Payload = { for: name, value: context.executionId };
    const told = await context.step('tell', { transactional: true }, async (manager) => {
      try {
        await context.runner.signal(to, signalOf(name), payload, { manager });
        return true;
      } catch (error) {
        if (Reflect.get(error as object, 'code') === 'INVALID_TRANSITION') return false;
        throw error;
      }
    });
    return { tell: told };
  }
}

/** The durable points of one run of a task. */
class TaskPoints {
  private readonly runId = randomUUID();
  private readonly path: string;

  constructor(
    private readonly settings: HandlerSettings,
    private readonly context: Context,
    private readonly transactional: boolean,
  ) {
    this.path = context.require('path');
  }

  async run(op: Op): Promise<unknown> {
    const value = (await this.perform(op)) ?? null;
    // What a transactional task does counts only if it commits.
    if (!this.transactional) this.note('got', op.name, value);
    return value;
  }

  private perform(op: Op): Promise<unknown> {
    const { context, path: own } = this;
    switch (op.kind) {
      case 'step':
        return context.step(op.name, () => this.made(op.name));
      case 'insert':
        if (this.transactional) return this.insert(op.name, context.manager);
        return context.step(op.name, { transactional: true }, (manager) =>
          this.insert(op.name, manager),
        );
      case 'together':
        return Promise.all(
          [0, 1, 2].map((key) =>
            context.step(op.name, { key }, () => this.made(`${op.name}#${key}`)),
          ),
        );
      case 'sleep':
        return context.sleep(op.name, op.ms);
      case 'flaky':
        return this.flaky(op.name);
      case 'defer':
        return context.deferUntil(() => this.isSecondTime(op.name), { every: 50 });
      case 'fail':
        throw new NonRetryableError('as planned');
      case 'timed':
        return context.waitFor(signalOf(op.name), { name: op.name, timeout: op.ms });
      case 'signal':
        if (op.from === 'itself') this.send(op.name);
        return context.waitFor(Item, { name: op.name });
      case 'event':
        if (op.from === 'itself') this.emit(op.name);
        return context.waitFor(News, {
          name: op.name,
          key: eventKey(own, op.name),
          ...(op.from === 'outside' ? { lookback: '1h' as const } : {}),
        } as never);
      case 'shared':
        return context.waitFor(News, { name: op.name, key: SHARED_KEY });
      case 'any':
        return this.any(op.name);
      default:
        return this.startChildren(op);
    }
  }

  private async startChildren(
    op: Extract<Op, { kind: 'child' | 'children' | 'aside' | 'callback' }>,
  ): Promise<unknown> {
    const { context, path: own } = this;
    const { name } = op;
    switch (op.kind) {
      case 'child': {
        const { program, onParentEnd, key, settles } = op;
        const keys = {
          none: undefined,
          own: childPath(own, name),
          shared: sharedKey(program, own),
        };
        const idempotencyKey = keys[key];
        const options = {
          name,
          onParentEnd,
          ...(idempotencyKey === undefined ? {} : { idempotencyKey }),
        };
        const input = { path: childPath(own, name) };
        if (!settles) {
          await context.execute(program, input, options);
          return 'Completed';
        }
        const { id, status } = await context.execute(program, input, { ...options, settled: true });
        return { id, status };
      }
      case 'children': {
        const calls = op.programs.map(
          (program, i) =>
            [program, { path: childPath(own, name, i) }, { name: `${name}-${i}` }] as const,
        );
        const settled = await context.executeAll(calls, { settled: true });
        return settled.map(({ id, status }) => ({ id, status }));
      }
      case 'aside': {
        const input = { path: childPath(own, name) };
        const { onParentEnd } = op;
        return (await context.start(op.program, input, { name, onParentEnd })).id;
      }
      case 'callback': {
        const tell = { to: context.executionId, name };
        const input = { path: childPath(own, name), tell };
        await context.start(TELLER.name, input, { name: `${name}-teller` });
        return context.waitFor(signalOf(name), { name });
      }
    }
  }

  /** Both messages come. The one that comes second is waited for afterwards. */
  private async any(name: string): Promise<unknown> {
    const { context } = this;
    const key = eventKey(this.path, name);
    const of = { signal: signalOf(name), event: [News, key] as const };
    const first = await context.waitForAny(of, { name, lookback: '1h' });
    const rest = `${name}-rest`;
    const second =
      first.name === 'signal'
        ? await context.waitFor(News, { name: rest, key, lookback: '1h' } as never)
        : await context.waitFor(signalOf(name), { name: rest });
    return [first.name, first.payload, second];
  }

  private made(name: string): string {
    const value = randomUUID();
    this.note('did', name, value);
    return value;
  }

  private async insert(name: string, manager: EntityManager): Promise<string> {
    const value = this.made(name);
    await manager.query('INSERT INTO effect (execution_id, name, value) VALUES ($1, $2, $3)', [
      this.context.executionId,
      name,
      value,
    ]);
    return value;
  }

  private async flaky(name: string): Promise<void> {
    if (!this.isSecondTime(name)) throw new Error('flaky, as planned');
    await this.context.step(name, () => null);
  }

  private isSecondTime(name: string): boolean {
    const marker = path.join(this.settings.folder, `${this.context.executionId}-${name}`);
    if (existsSync(marker)) return true;
    writeFileSync(marker, '');
    return false;
  }

  /** While the task begins to wait for it. The test sends it again, in case the process dies before. */
  private send(name: string): void {
    const { runner, executionId } = this.context;
    const options = { idempotencyKey: name };
    runner.signal(executionId, Item, { for: 'item', value: name }, options).catch(() => undefined);
  }

  private emit(name: string): void {
    const { runner } = this.context;
    const payload = { for: name, value: name };
    const options = { idempotencyKey: name };
    runner.emit(News, eventKey(this.path, name), payload, options).catch(() => undefined);
  }

  private note(what: Note['what'], name: string, value: unknown): void {
    const { executionId, taskName: task } = this.context;
    const note: Note = {
      what,
      by: this.settings.name,
      run: this.runId,
      executionId,
      task,
      name,
      value,
      at: Date.now(),
    };
    appendFileSync(path.join(this.settings.folder, LOG), `${JSON.stringify(note)}\n`);
  }
}
