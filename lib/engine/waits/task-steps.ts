import {
  DuplicateStepError,
  InvalidArgumentError,
  NotAllowedError,
  StepsTooLargeError,
  TooManyStepsError,
} from '../../errors/index.js';
import type { StepKind, StepRow } from '../../store/port/index.js';
import type { TaskClaim } from '../claims/task-claim.js';
import type { DurableWait } from './durable-wait.js';
import { type OpenPoint, OpenPoints } from './open-points.js';
import type { StepName } from './step-name.js';
import { decodeResult, encodeResult, stepRecord } from './step-record.js';
import type { StepServices, StoredSteps } from './step-services.js';
import { StepTransaction } from './step-transaction.js';
import { SuspensionSignal } from './suspension.js';

/** What a point does. It gets its stored row, if there is one. */
type PointWork<T> = (
  found: StepRow | undefined,
  run: {
    readonly point: OpenPoint;
    /** All stored rows of the task. */
    readonly stored: StoredSteps;
    /** When they were read, by the clock's `now()`. */
    readonly readAt: number;
  },
) => Promise<T>;

/**
 * The durable points of one run of a task: its steps and waits, by name. A run begins with the task's stored steps, which
 * are read once, when the handler reaches its first point, unless the claim returned them. So a task without steps pays
 * nothing.
 *
 * States of a run: running, suspended (no open point has anything to return yet), returned. In the last two, no point
 * begins.
 */
export class TaskSteps {
  /** The points that have not settled. */
  readonly points: OpenPoints;
  /** Names that this run has used. */
  private readonly names = new Set<string>();
  private stored: Promise<StoredSteps> | undefined;
  /** When they had been read, by the clock's `now()`. */
  private readAt = 0;
  /** Number of points of this run that were not stored. */
  private added = 0;
  /** Size of the results that are stored, or about to be, in bytes of JSON. */
  private size = 0;
  private hasReturned = false;
  /** Set once a statement of the library failed that the task can't go on without: when it begins again, in milliseconds. */
  private againInMs: number | undefined;

  constructor(
    readonly claim: TaskClaim,
    readonly services: StepServices,
  ) {
    this.points = new OpenPoints(services.clock);
  }

  /**
   * Set once the run has to begin anew, by no fault of its handler: the time until then, in milliseconds. The attempt does
   * not count, even if the handler caught the error.
   */
  get givenBackInMs(): number | undefined {
    return this.againInMs;
  }

  /** Call when the handler has returned: later points are refused. */
  returned(): void {
    this.hasReturned = true;
  }

  /** Runs `work` unless its result is stored, and stores it. */
  step<T>(name: StepName, work: () => T | Promise<T>): Promise<T> {
    return this.point(name, 'step', async (found, { point }) => {
      if (found !== undefined) return decodeResult(found.result) as T;
      const { claim, points, services } = this;
      const beganAt = services.clock.now();
      const json = this.encode(name, await points.within(point, work));
      const done = { result: json, tookMs: services.clock.now() - beganAt };
      await services.record(claim, stepRecord(claim, name, 'step', 'Done', done));
      return decodeResult(json) as T;
    });
  }

  /**
   * Runs `work` unless its result is stored, with a transaction that its writes and the result are committed in. So the
   * writes are committed exactly once.
   */
  transactionalStep<M, T>(name: StepName, work: (manager: M) => T | Promise<T>): Promise<T> {
    return this.point(name, 'step', async (found, { point }) => {
      if (found !== undefined) return decodeResult(found.result) as T;
      const { claim, points, services } = this;
      const transaction = new StepTransaction(claim, services, name, {
        run: (manager) => points.within(point, () => work(manager as M)),
        encode: (value) => this.encode(name, value),
        reread: () => this.reread(name),
        beginAgain: (inMs) => (this.againInMs ??= inMs),
      });
      return decodeResult(await transaction.run()) as T;
    });
  }

  /** Waits without occupying a slot: returns if the wait is over, and suspends the task if it is not. */
  wait<T>(wait: DurableWait<T>): Promise<T> {
    if (this.claim.isMap) return this.refuse(waitInItems(this.claim.task.name));
    return this.point(wait.name, wait.kind, async (found, { point, stored, readAt }) => {
      if (found !== undefined && found.status !== 'Open') return wait.valueOf(found);
      const { clock } = this.services;
      const isOpened = found !== undefined && wait.isFor?.(found, stored) !== false;
      const opened = isOpened ? found : await this.openWait(wait);
      // From the reply on: from the request on, the wait would be too short by what the statement took.
      const knownAt = found === undefined ? clock.now() : readAt;
      const { dueInMs } = found ?? opened;
      const seen = await wait.look?.(found);
      if (seen !== undefined && seen.status !== 'Open') {
        this.size += sizeOf(seen);
        return wait.valueOf(seen);
      }
      const wakeAt = dueInMs === null ? Infinity : knownAt + dueInMs;
      if (wakeAt > clock.now()) return this.points.suspend(point, wakeAt, wait.joins === true);
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

  /** A point whose arguments are not valid. */
  refuse(reason: unknown): Promise<never> {
    return this.points.add(() => Promise.reject(reason));
  }

  private async openWait<T>(wait: DurableWait<T>): Promise<{ readonly dueInMs: number | null }> {
    const { claim, services } = this;
    const { kind, name, listensFor, due } = wait;
    const record = stepRecord(claim, name, kind, 'Open', { listensFor, due });
    if (wait.open === undefined) return services.record(claim, record);
    return services.held(claim, record, await wait.open(record));
  }

  /** Ends a wait whose time is over, unless another statement has ended it at the same time. */
  private async timeOut<T>(wait: DurableWait<T>): Promise<StepRow> {
    const { name, kind, whenDue } = wait;
    await wait.timedOut?.();
    await this.services.record(this.claim, stepRecord(this.claim, name, kind, whenDue));
    const row = await this.reread(name);
    if (row === undefined) throw new Error(`The row of step ${name.stored} is missing.`);
    return row;
  }

  private point<T>(name: StepName, kind: StepKind, run: PointWork<T>): Promise<T> {
    return this.points.add((point) => this.begin(point, name, kind, run));
  }

  private async begin<T>(
    point: OpenPoint,
    name: StepName,
    kind: StepKind,
    run: PointWork<T>,
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
    if (this.points.suspension !== undefined) throw new SuspensionSignal();
    if (this.names.has(name.shown)) throw new DuplicateStepError(task.name, name.shown, kind);
    this.names.add(name.shown);
    const stored = await (this.stored ??= this.load());
    const found = stored.get(name.stored);
    if (found === undefined) {
      if (stored.size + this.added >= this.services.maxSteps) {
        throw new TooManyStepsError(task.name, this.services.maxSteps);
      }
      // What a wait receives is stored by its sender, so only the next point can be refused.
      this.assertFits(0);
      this.added++;
    } else if (found.kind !== kind) {
      throw new InvalidArgumentError(
        'name',
        `${JSON.stringify(name.shown)} is stored as a ${found.kind}; give the ${kind} another name`,
      );
    }
    return run(found, { point, stored, readAt: this.readAt });
  }

  private async load(): Promise<StoredSteps> {
    const { claim, services } = this;
    const { steps, hasSteps } = claim;
    let stored: StoredSteps = new Map();
    if (steps !== undefined) stored = new Map(steps.map((row) => [row.name, row]));
    else if (hasSteps) stored = await services.read(claim);
    this.readAt = steps === undefined ? services.clock.now() : claim.claimedAt;
    for (const row of stored.values()) this.size += sizeOf(row);
    return stored;
  }

  /** @throws StepsTooLargeError for a result that does not fit beside those of the other steps */
  private encode(name: StepName, value: unknown): string | null {
    const json = encodeResult(name, value, this.services.maxResultSize);
    if (json === null) return null;
    const bytes = Buffer.byteLength(json);
    this.assertFits(bytes);
    this.size += bytes;
    return json;
  }

  private assertFits(bytes: number): void {
    const { maxStepsSize } = this.services;
    const size = this.size + bytes;
    if (size > maxStepsSize) throw new StepsTooLargeError(this.claim.task.name, size, maxStepsSize);
  }

  private async reread(name: StepName): Promise<StepRow | undefined> {
    return (await this.services.read(this.claim)).get(name.stored);
  }
}

/** Size of a stored result, in bytes of JSON. */
function sizeOf({ result }: StepRow): number {
  return result === null ? 0 : Buffer.byteLength(result);
}

/** A map counts its items in the row that a wait would change. */
function waitInItems(task: string): NotAllowedError {
  return new NotAllowedError(
    `A wait in the items of ${JSON.stringify(task)}`,
    'a map that waits would not know whether its items or its wait are over',
    'Wait in a task that the map depends on.',
  );
}
