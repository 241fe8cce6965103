import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { OpenTenant } from '../../support/open-tenant.js';
import { pick } from '../workload/random.js';
import { HELLO, News, SHARED_KEY } from './messages.js';
import { eventsFor, signalsFor, type Planned, type Seen } from './outside.js';
import { TELLER, type Program } from './program.js';
import type { ProgramProcesses } from './program-processes.js';
import { sendMessage, type Sending } from './send.js';

/** Pauses between two looks for new executions, and between two events that many wait for, in milliseconds. */
const LOOK_MS = 40;
const NEWS_MS = 150;
/** An execution that has ended takes no message and no control. */
const ENDED = 'INVALID_TRANSITION';
/** The database was away, or a connection was lost, so it is not known whether the call had an effect. */
const AWAY = new Set<unknown>(['DATABASE_UNAVAILABLE', '57P01', '08006', 'ECONNRESET']);
const LOST = /Connection terminated|Query runner already released|connection/i;

export interface WorldOptions {
  readonly random: () => number;
  /** Shares of the executions that are cancelled, and paused for a while, while they run. */
  readonly cancels: number;
  readonly pauses: number;
  /** Whether all messages with a key are sent by processes that may be killed. Default: some of them. */
  readonly sendsByWorkers: boolean;
}

/** The world around the programs: what starts them, sends their messages, cancels and pauses them. */
export class World {
  /** Paths of executions whose start was confirmed. */
  readonly started = new Set<string>();
  /** Executions for which a cancel was asked, and those for which it was confirmed. */
  readonly cancelling = new Set<string>();
  readonly cancelled = new Set<string>();
  /** Values of messages whose send was confirmed. */
  readonly sent = new Set<string>();
  /** How often what was done, for the report. */
  readonly counts = new Map<string, number>();
  readonly failures: unknown[] = [];
  private readonly seen = new Set<string>();
  private readonly early = new Set<string>();
  private readonly underWay = new Set<Promise<void>>();
  private roots = 0;
  private isOver = false;

  constructor(
    private readonly client: OpenTenant,
    private readonly processes: ProgramProcesses,
    readonly programs: readonly Program[],
    private readonly options: WorldOptions,
  ) {}

  /** Looks for new executions, and tells the news, until {@link World.end}. */
  begin(): void {
    this.background(() => this.repeat(LOOK_MS, () => this.look()));
    this.background(() => this.repeat(NEWS_MS, () => this.tellNews()));
  }

  end(): void {
    this.isOver = true;
  }

  /** Starts executions of random programs, some of whose events are sent before. */
  start(count: number): void {
    const { random } = this.options;
    for (let i = 0; i < count; i++) this.startOf(pick(random, this.programs));
  }

  /** Starts an execution of a program. */
  startOf(program: Program): void {
    this.background(() => this.startOne(program));
  }

  get knows(): number {
    return this.seen.size;
  }

  /** Whether nothing is left to send; the two loops go on. */
  get isIdle(): boolean {
    return this.underWay.size <= (this.isOver ? 0 : 2);
  }

  count(what: string): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1);
  }

  private async startOne(program: Program): Promise<void> {
    const { random } = this.options;
    const path = `r${this.roots++}`;
    if (random() < 0.5) {
      this.early.add(path);
      await Promise.all(eventsFor(program, path, random).map((each) => this.deliver(each)));
    }
    if (random() < 0.25) await this.startBySignal(program, path);
    else {
      await this.insist(async () => {
        await this.client.runner.start(program.name, { path }, { idempotencyKey: path });
      });
    }
    this.started.add(path);
    this.count('roots');
  }

  /** By a process that may be killed on the way: one that sends it again finds the execution. */
  private async startBySignal({ name: workflow }: Program, path: string): Promise<void> {
    const payload = { for: HELLO, value: randomUUID() };
    const to = { workflow, key: path };
    const idempotencyKey = payload.value;
    const sending = { to, name: HELLO, payload, idempotencyKey, orStart: { path } };
    await this.deliver({ afterMs: 0, by: 'worker', sending });
    this.count('started by a signal');
  }

  private async look(): Promise<void> {
    const rows = await this.client.query<Seen>(
      `SELECT id, workflow, input ->> 'path' AS path, idempotency_key AS key FROM cloacina_workflow_execution
       WHERE id <> ALL ($1::uuid[])`,
      [[...this.seen]],
    );
    for (const execution of rows) {
      this.seen.add(execution.id);
      this.attendTo(execution);
    }
  }

  private attendTo(execution: Seen): void {
    const { random, cancels, pauses } = this.options;
    const { id, workflow, path } = execution;
    const program = this.programs.find(({ name }) => name === workflow);
    // A parent waits for the answer of its teller.
    if (program === undefined || workflow === TELLER.name) return;
    const events = this.early.has(path) ? [] : eventsFor(program, path, random);
    for (const each of [...events, ...signalsFor(program, execution, random)]) {
      this.background(() => this.deliver(each));
    }
    if (random() < cancels) this.background(() => this.cancel(id, random() * 1_000));
    if (random() < pauses) this.background(() => this.pause(id, random() * 800));
  }

  private async deliver({ afterMs, by, sending }: Planned): Promise<void> {
    await delay(afterMs);
    const { payload, rollsBack, idempotencyKey } = sending;
    const mayBeLost = idempotencyKey !== undefined && this.options.sendsByWorkers;
    const isStored = await (by === 'worker' || mayBeLost
      ? this.sendByWorker(sending)
      : this.send(sending));
    if (!isStored || rollsBack === true) return;
    this.count(`sent by ${by}`);
    // Those that tasks send to themselves too carry no value of their own.
    if (payload.value.includes('-')) this.sent.add(payload.value);
  }

  /** Whether the message is stored: an execution that has ended takes none. */
  private async send(sending: Sending): Promise<boolean> {
    if (sending.rollsBack === true) this.count('rolled back');
    try {
      await this.insist(() => sendMessage(this.client, sending, delay));
      return true;
    } catch (error) {
      if (codeOf(error) !== ENDED) throw error;
      this.count('refused');
      return false;
    }
  }

  /** By a process that may be killed on the way. Then it is sent again from here, with the same key. */
  private async sendByWorker(sending: Sending): Promise<boolean> {
    const { living } = this.processes;
    if (living.length === 0) return this.send(sending);
    const sent = await this.processes.send(pick(this.options.random, living), sending);
    if (sent !== undefined && sent.code === undefined) return true;
    if (sent?.code === ENDED) return false;
    this.count('sent again');
    return this.send(sending);
  }

  private async cancel(id: string, afterMs: number): Promise<void> {
    await delay(afterMs);
    this.cancelling.add(id);
    if (!(await this.control(() => this.client.runner.cancel(id, { reason: 'storm' })))) return;
    this.cancelled.add(id);
    this.count('cancelled');
  }

  private async pause(id: string, afterMs: number): Promise<void> {
    const { random } = this.options;
    const tree = { tree: random() < 0.5 };
    await delay(afterMs);
    if (!(await this.control(() => this.client.runner.pause(id, { reason: 'storm', ...tree }))))
      return;
    this.count(tree.tree ? 'paused trees' : 'paused');
    await delay(random() * 800);
    await this.control(() => this.client.runner.resume(id, tree));
  }

  /** False if the execution was not in the state for it. */
  private async control(call: () => Promise<void>): Promise<boolean> {
    try {
      await this.insist(call);
      return true;
    } catch (error) {
      if (codeOf(error) !== ENDED) throw error;
      return false;
    }
  }

  private async tellNews(): Promise<void> {
    const payload = { for: SHARED_KEY, value: 'news' };
    this.count('news');
    const inTransactionMs = this.options.random() * 200;
    const sending: Sending = { to: { event: SHARED_KEY }, name: News.name, payload };
    await this.send(this.options.random() < 0.5 ? sending : { ...sending, inTransactionMs });
  }

  /** Until the database is there. */
  private async insist(call: () => Promise<void>): Promise<void> {
    for (;;) {
      try {
        await call();
        return;
      } catch (error) {
        const isAway = AWAY.has(codeOf(error)) || LOST.test(String(error));
        if (!isAway || this.isOver) throw error;
        this.count('away');
      }
    }
  }

  private async repeat(everyMs: number, work: () => Promise<void>): Promise<void> {
    while (!this.isOver) {
      await work();
      await delay(everyMs);
    }
  }

  private background(work: () => Promise<void>): void {
    const tracked: Promise<void> = work()
      .catch((error: unknown) => {
        if (!this.isOver) this.failures.push(error);
      })
      .finally(() => this.underWay.delete(tracked));
    this.underWay.add(tracked);
  }
}

function codeOf(error: unknown): unknown {
  return Reflect.get(error as object, 'code');
}
