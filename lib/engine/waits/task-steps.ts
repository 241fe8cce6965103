import {
  ContextTooLargeError,
  DuplicateStepError,
  InvalidArgumentError,
  InvalidContextError,
  NotAllowedError,
  TooManyStepsError,
} from '../../errors/index.js';
import { decodeJson, encodeJson } from '../../workflow/index.js';
import type { StepKind, StepRecord, StepRow, StepStatus } from '../../store/port/index.js';
import type { TaskClaim } from '../claims/task-claim.js';
import type { DurableWait } from './durable-wait.js';
import type { StepName } from './step-name.js';
import type { StepServices } from './step-services.js';
import { SuspensionSignal } from './suspension.js';

/** Part of a record that not every step has. */
type RecordDetail = Partial<Pick<StepRecord, 'result' | 'listensFor' | 'due'>>;

/**
 * The durable points of one run of a task: its steps and waits, by name. A run begins with the task's stored steps, which
 * are read once, when the handler comes to its first point. So a task without steps pays nothing.
 *
 * States of a run: running, suspended (a wait has nothing to return yet), returned. In the last two, no point begins.
 */
export class TaskSteps {
  /** Names that this run has used. */
  private readonly names = new Set<string>();
  /** Points that have not settled. */
  private readonly inFlight = new Set<Promise<unknown>>();
  private stored: Promise<Map<string, StepRow>> | undefined;
  /** When they were read, by the clock's `now()`. */
  private readAt = 0;
  /** Number of points of this run that were not stored. */
  private added = 0;
  /** When the task has to run again, by the clock's `now()`; Infinity: when it is woken. */
  private wakeAt: number | undefined;
  /** Number of waits that suspended the run and are to be over together, and whether others did too. */
  private joining = 0;
  private hasSingleWait = false;
  private hasReturned = false;

  constructor(
    readonly claim: TaskClaim,
    readonly services: StepServices,
  ) {}

  /** Whether a wait has suspended the task, even if its signal was caught. */
  get isSuspended(): boolean {
    return this.wakeAt !== undefined;
  }

  /** Time until the task has to run again, in milliseconds. Null: when it is woken. */
  get suspendedForMs(): number | null {
    if (this.wakeAt === undefined || this.wakeAt === Infinity) return null;
    return Math.max(0, this.wakeAt - this.services.clock.now());
  }

  /** Number of children of which only the last one has to wake the task. 0: any wake-up does. */
  get joins(): number {
    return this.hasSingleWait ? 0 : this.joining;
  }

  /** Whether points of the run have not settled. */
  get isBusy(): boolean {
    return this.inFlight.size > 0;
  }

  /** Resolves when no point is in flight. Rejects with the first failure of those in flight now. */
  async whenSettled(): Promise<void> {
    let failure: { readonly error: unknown } | undefined;
    while (this.inFlight.size > 0) {
      for (const result of await Promise.allSettled(this.inFlight)) {
        if (result.status === 'rejected') failure ??= { error: result.reason };
      }
    }
    if (failure !== undefined) throw failure.error;
  }

  /** Call when the handler has returned: later points are refused. */
  returned(): void {
    this.hasReturned = true;
  }

  /** Runs `work` unless its result is stored, and stores it. */
  step<T>(name: StepName, work: () => T | Promise<T>): Promise<T> {
    return this.point(name, 'step', async (found) => {
      if (found !== undefined) return valueOf(found) as T;
      const json = this.encode(name, await work());
      await this.record(name, 'step', 'Done', { result: json });
      return decoded(json) as T;
    });
  }

  /**
   * Runs `work` unless its result is stored, with a transaction that its writes and the result are committed in. So the
   * writes are committed exactly once.
   */
  transactionalStep<M, T>(name: StepName, work: (manager: M) => T | Promise<T>): Promise<T> {
    return this.point(name, 'step', async (found) => {
      if (found !== undefined) return valueOf(found) as T;
      const { claim } = this;
      const { store } = this.services;
      let json: string | null = null;
      try {
        await store.transaction(async (transaction) => {
          const value = await transaction.within(() => work(transaction.manager as M));
          json = this.encode(name, value);
          await transaction.assertOpen();
          claim.signal.throwIfAborted();
          const record = this.recordOf(name, 'step', 'Done', { result: json });
          const [reply] = await transaction.recordSteps([record]);
          this.services.held(claim, record, reply);
        }, claim.signal);
      } catch (error) {
        // The reply to COMMIT may be lost: then the row shows whether the transaction was committed.
        const { kind, mayBeWritten } = store.classifyFailure(error);
        if (kind !== 'connection' || !mayBeWritten) throw error;
        const row = await this.reread(name);
        if (row === undefined) throw error;
        return valueOf(row) as T;
      }
      return decoded(json) as T;
    });
  }

  /** Waits without occupying a slot: returns if the wait is over, and suspends the task if it is not. */
  wait<T>(wait: DurableWait<T>): Promise<T> {
    return this.point(wait.name, wait.kind, async (found, readAt) => {
      if (found !== undefined && found.status !== 'Open') return wait.valueOf(found);
      const { clock } = this.services;
      const openedAt = found === undefined ? clock.now() : readAt;
      const { dueInMs } = found ?? (await this.open(wait));
      const seen = await wait.look?.(found);
      if (seen !== undefined && seen.status !== 'Open') return wait.valueOf(seen);
      const wakeAt = dueInMs === null ? Infinity : openedAt + dueInMs;
      if (wakeAt > clock.now()) this.suspend(wakeAt, wait.joins === true);
      return wait.valueOf(await this.timeOut(wait));
    });
  }

  /**
   * A point that is stored by `run`, such as the start of a child that nothing waits for.
   *
   * @param run - gets the stored row, or a function that builds the record to store
   */
  once<T>(
    name: StepName,
    kind: StepKind,
    run: (found: StepRow | undefined) => Promise<T>,
  ): Promise<T> {
    return this.point(name, kind, (found) => run(found));
  }

  /** The stored row of a point, read anew. */
  stepNow(name: StepName): Promise<StepRow | undefined> {
    return this.reread(name);
  }

  private async open<T>(wait: DurableWait<T>): Promise<{ readonly dueInMs: number | null }> {
    const { kind, name, listensFor, due } = wait;
    const record = this.recordOf(name, kind, 'Open', { listensFor, due });
    if (wait.open === undefined) return this.services.record(this.claim, record);
    return this.services.held(this.claim, record, await wait.open(record));
  }

  /** Ends a wait whose time is over, unless another statement has ended it at the same time. */
  private async timeOut<T>(wait: DurableWait<T>): Promise<StepRow> {
    const { name, kind, whenDue } = wait;
    await wait.timedOut?.();
    await this.record(name, kind, whenDue, {});
    const row = await this.reread(name);
    if (row === undefined) throw new Error(`The row of step ${name.stored} is missing.`);
    return row;
  }

  /** Ends the run. The first deadline of several waits counts. */
  private suspend(wakeAt: number, joins: boolean): never {
    this.wakeAt = Math.min(this.wakeAt ?? Infinity, wakeAt);
    if (joins) this.joining++;
    else this.hasSingleWait = true;
    throw new SuspensionSignal();
  }

  /**
   * Begins a point. Its rejection is handled here too, so a point that the handler does not await can't end the process by
   * an unhandled rejection.
   */
  private point<T>(
    name: StepName,
    kind: StepKind,
    run: (found: StepRow | undefined, readAt: number) => Promise<T>,
  ): Promise<T> {
    return this.track(this.begin(name, kind, run));
  }

  /** A point whose arguments are not valid. */
  refuse(reason: unknown): Promise<never> {
    return this.track(Promise.reject(reason));
  }

  private track<P extends Promise<unknown>>(point: P): P {
    const settled = (): boolean => this.inFlight.delete(point);
    this.inFlight.add(point);
    point.then(settled, settled);
    return point;
  }

  private async begin<T>(
    name: StepName,
    kind: StepKind,
    run: (found: StepRow | undefined, readAt: number) => Promise<T>,
  ): Promise<T> {
    const { task, signal } = this.claim;
    if (this.hasReturned) {
      throw new NotAllowedError(
        `The step ${JSON.stringify(name.shown)}`,
        `the handler of task ${JSON.stringify(task.name)} has returned`,
        'Await all steps and waits in the handler.',
      );
    }
    signal.throwIfAborted();
    if (this.isSuspended) throw new SuspensionSignal();
    if (this.names.has(name.shown)) throw new DuplicateStepError(task.name, name.shown);
    this.names.add(name.shown);
    const stored = await (this.stored ??= this.load());
    const found = stored.get(name.stored);
    if (found === undefined) {
      if (stored.size + this.added >= this.services.maxSteps) {
        throw new TooManyStepsError(task.name, this.services.maxSteps);
      }
      this.added++;
    } else if (found.kind !== kind) {
      throw new InvalidArgumentError(
        'name',
        `${JSON.stringify(name.shown)} is stored as a ${found.kind}; give the ${kind} another name`,
      );
    }
    return run(found, this.readAt);
  }

  private async load(): Promise<Map<string, StepRow>> {
    this.readAt = this.services.clock.now();
    const rows = this.claim.hasSteps ? await this.services.read(this.claim) : [];
    return new Map(rows.map((row) => [row.name, row]));
  }

  private async reread(name: StepName): Promise<StepRow | undefined> {
    const rows = await this.services.read(this.claim);
    return rows.find((row) => row.name === name.stored);
  }

  private async record(
    name: StepName,
    kind: StepKind,
    status: StepStatus,
    detail: RecordDetail,
  ): Promise<void> {
    await this.services.record(this.claim, this.recordOf(name, kind, status, detail));
  }

  private recordOf(
    name: StepName,
    kind: StepKind,
    status: StepStatus,
    { result = null, listensFor = null, due = null }: RecordDetail,
  ): StepRecord {
    const { executionId, taskNo, itemNo, token } = this.claim;
    const key = { executionId, taskNo, itemNo, token };
    return {
      ...key,
      name: name.stored,
      kind,
      status,
      result,
      error: null,
      childId: null,
      listensFor,
      due,
    };
  }

  /** The JSON text of a step's result. Null for undefined. */
  private encode({ shown }: StepName, value: unknown): string | null {
    if (value === undefined) return null;
    const encoded = encodeJson(value);
    if (!encoded.ok) {
      const where = encoded.path === '' ? '' : ` at ${encoded.path}`;
      const whole = `The result of step ${JSON.stringify(shown)}${where}`;
      throw new InvalidContextError('', '', encoded.problem, { whole });
    }
    const { maxResultSize } = this.services;
    if (encoded.bytes > maxResultSize) {
      throw new ContextTooLargeError(encoded.bytes, maxResultSize, [[shown, encoded.bytes]]);
    }
    return encoded.json;
  }
}

function valueOf({ result }: StepRow): unknown {
  return decoded(result);
}

/** A result as a later run reads it: a Date has become a text in the first run already. */
function decoded(json: string | null): unknown {
  return json === null ? undefined : decodeJson(json);
}
