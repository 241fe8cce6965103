import type { Clock, Timer } from '../runtime/clock.js';
import type { DueTime } from '../store/port/index.js';
import type { Claimer } from './claims/claimer.js';
import { type DefinitionCatalog, LOOK_INTERVAL_MS } from './definitions/definition-catalog.js';
import type { StrandedTasks } from './definitions/stranded-tasks.js';
import type { Overruns } from './execution/overruns.js';
import type { ExecutionAdmitter } from './admission/execution-admitter.js';
import type { LimitedClaimer } from './limits/limited-claimer.js';
import type { ProcessServices } from './process-services.js';
import type { TenantQueue } from './slots/tenant-queue.js';

/**
 * Time in which this process may claim what it has left before it asks others for help, in milliseconds: long enough
 * for a first short handler to end, after which a claim takes hundreds of tasks.
 */
const FIRST_HELP_MS = 5;
/** The same while the backlog lasts: from the second time on, doubling up to the maximum. */
const NEXT_HELP_MS = 50;
const MAX_HELP_MS = 1_600;

/** Kinds of work that is taken when it becomes due. */
export type DueWork = 'task' | 'limited' | 'admission';

export interface WakeUpsParts {
  readonly clock: Clock;
  readonly address: string;
  readonly queue: TenantQueue;
  readonly catalog: Pick<DefinitionCatalog, 'lookForOthers'>;
  readonly stranded: Pick<StrandedTasks, 'look'>;
  readonly claimer: Pick<Claimer, 'claimAvailable'>;
  readonly limited: Pick<LimitedClaimer, 'look'>;
  readonly admitter: Pick<ExecutionAdmitter, 'admits' | 'look'>;
  readonly overruns: Pick<Overruns, 'tasks'>;
  readonly services: Pick<ProcessServices, 'askForWatch' | 'notifyWork' | 'schedule'>;
}

/**
 * Reacts to tasks that are ready or become due: claims them, wakes other processes, or sets a timer.
 *
 * Tasks that this process can run itself wake others only if it is still behind a moment later. While its backlog lasts
 * it asks for help again, at growing intervals: processes that are at work do not need another wake-up.
 */
export class WakeUps {
  private helpTimer: Timer | undefined;
  private helpMs = FIRST_HELP_MS;
  /** Number of tasks that were left since the latest call for help. */
  private left = 0;

  constructor(private readonly parts: WakeUpsParts) {}

  /**
   * Call when Ready tasks are left that this process may be unable to run: claims them when there is capacity, and
   * wakes other processes now.
   *
   * @param tasks - number of tasks; all processes are woken if it is unknown
   */
  wakeWorkers(tasks = Infinity): void {
    const { queue, claimer, limited, admitter } = this.parts;
    queue.hasBacklog = true;
    claimer.claimAvailable();
    limited.look();
    admitter.look();
    this.notify(tasks);
  }

  /** Call when a task was given back to be run again now. */
  givenBack(): void {
    this.wakeWorkers(1);
  }

  /** Call when Ready tasks are left for which this process has handlers. */
  leftHere(tasks: number): void {
    const { queue, claimer, clock } = this.parts;
    if (queue.isStuck) {
      this.wakeWorkers(tasks);
      return;
    }
    if (!queue.hasBacklog) this.backlogBegins();
    queue.hasBacklog = true;
    claimer.claimAvailable();
    this.left += tasks;
    this.helpTimer ??= clock.timer(() => this.helpIsDue(), this.helpMs);
  }

  /** Call when a claim was full, so that there are probably more ready tasks than this process has claimed. */
  leftMore(): void {
    // Two processes: each of them does the same, so that the number of processes at work doubles.
    this.leftHere(this.tasksOfTwo);
  }

  /**
   * Call when tasks with a limit wait for room in this process.
   *
   * @param isNew - whether there was room for all of them before
   */
  leftLimited(isNew: boolean): void {
    const { queue, clock } = this.parts;
    if (isNew && !queue.hasBacklog) this.backlogBegins();
    this.left += this.tasksOfTwo;
    const isFirst = this.helpMs === FIRST_HELP_MS;
    this.helpTimer ??= clock.timer(
      () => this.helpIsDue(),
      isFirst && queue.isStuck ? 0 : this.helpMs,
    );
  }

  /** Call when this process fails to claim: others may be able to. */
  cannotClaim(): void {
    this.notify(Infinity);
  }

  close(): void {
    this.helpTimer?.cancel();
  }

  private backlogBegins(): void {
    this.helpMs = FIRST_HELP_MS;
    this.left = 0;
    this.helpTimer?.cancel();
    this.helpTimer = undefined;
  }

  private helpIsDue(): void {
    const { queue } = this.parts;
    const { left } = this;
    this.helpTimer = undefined;
    this.left = 0;
    // Either the backlog is gone, or a claim is under way or about to be. A full claim calls `leftMore` at its end.
    const isBehind = queue.hasBacklog || queue.hasLimitedBacklog;
    if (queue.open && (!isBehind || queue.wantsMore)) return;
    const isFirst = this.helpMs === FIRST_HELP_MS;
    this.helpMs = Math.min(Math.max(NEXT_HELP_MS, this.helpMs * 2), MAX_HELP_MS);
    // Later on, this process has claimed some of these tasks, so the sum is too large.
    this.notify(isFirst ? left : Math.min(left, this.tasksOfTwo));
  }

  /** Number of tasks that a process takes at a time, if handlers take as long elsewhere as here. */
  private get perProcess(): number | undefined {
    const { queue } = this.parts;
    return queue.limit > 0 && queue.knowsDuration ? queue.limit + queue.prefetch : undefined;
  }

  private get tasksOfTwo(): number {
    return 2 * (this.perProcess ?? 1);
  }

  private notify(tasks: number): void {
    const { address, queue, services } = this.parts;
    // A process that stops may have ended before it gives more back.
    const isUnknown = tasks === Infinity || !queue.open;
    const work = isUnknown
      ? { tasks: Infinity, perProcess: 1 }
      : { tasks, perProcess: this.perProcess };
    services.notifyWork(address, work);
  }

  /** Call when a timer of this process says that work of the kind has become due. */
  isDue(kind: DueWork): void {
    const { limited, admitter } = this.parts;
    if (kind === 'task') this.workIsDue();
    else if (kind === 'limited') limited.look();
    else admitter.look(true);
  }

  /** If this process has no room for a task that is due, it tells the others, which may have no timer for it. */
  private workIsDue(): void {
    const { queue, claimer, limited, overruns } = this.parts;
    if (queue.capacity === 0 || overruns.tasks().length > 0) return this.wakeWorkers();
    claimer.claimAvailable();
    limited.look();
  }

  /**
   * Call when a task becomes due in `ms` milliseconds, because it was given back or starts later. Until the next sweep
   * only this process has a timer for it.
   */
  dueIn(ms: number): void {
    if (ms <= 0) return this.givenBack();
    this.scheduleTask(ms);
    this.parts.services.askForWatch();
  }

  /**
   * Call when an execution begins in `ms` milliseconds, because it was retried: its tasks become due then, or it asks for its
   * slot.
   */
  executionDueIn(ms: number): void {
    this.dueIn(ms);
    const { address, admitter, services } = this.parts;
    if (ms > 0 && admitter.admits)
      services.schedule({ kind: 'admission', tenant: address, inMs: ms });
  }

  /** Sets timers for the due times of the tenant. */
  schedule(due: readonly DueTime[]): void {
    const { address, admitter, services } = this.parts;
    for (const { kind, inMs } of due) {
      if (kind === 'task' && inMs <= 0) this.taskIsDue();
      else if (kind === 'limited' && inMs <= 0) this.limitedIsDue();
      else if (kind === 'admission' && inMs <= 0) admitter.look(true);
      else services.schedule({ kind, tenant: address, inMs });
    }
  }

  /** Handles a task that is due and unclaimed, perhaps because no process has a free slot or a handler for it. */
  private taskIsDue(): void {
    this.parts.claimer.claimAvailable();
    this.lookForHandlers();
  }

  /** Handles a task with a limit that is due and unclaimed: its key may be full, or no process has a handler for it. */
  private limitedIsDue(): void {
    this.parts.limited.look();
    this.lookForHandlers();
  }

  /** Loads the definitions of tasks that wait, and warns of tasks that have no handler. */
  private lookForHandlers(): void {
    const { queue, stranded } = this.parts;
    void this.lookForOthers();
    // A process that runs no tasks needs no handlers.
    if (queue.limit > 0) void stranded.look();
  }

  /**
   * Loads definitions that other processes have registered since this one booted, because tasks may wait for them.
   * Never rejects: the next call makes up for a failure.
   */
  async lookForOthers(): Promise<void> {
    const { catalog, claimer, limited } = this.parts;
    try {
      const found = await catalog.lookForOthers();
      if (found === 'found') {
        claimer.claimAvailable();
        limited.look();
      } else if (found === 'tooEarly') {
        this.scheduleTask(LOOK_INTERVAL_MS);
      }
    } catch {
      // The next call finds them.
    }
  }

  private scheduleTask(inMs: number): void {
    this.parts.services.schedule({ kind: 'task', tenant: this.parts.address, inMs });
  }
}
