import { SUSPECT_AFTER } from '../../../lib/store/postgres/statements/begin-suspect.js';
import { canTaskTransition, isTaskTerminal, type TaskStatus } from '../../../lib/workflow/index.js';
import type { EventFacts, TaskFacts } from './history.js';

/** Attempts that a row keeps. */
const KEPT_ATTEMPTS = 20;

export interface HistoryLimits {
  /** Default: not checked. */
  readonly maxRecoveryAttempts?: number;
}

/**
 * Walks through what the log says of one task, by the table of legal changes, and compares where it comes out with
 * the row. What the log doesn't tell (claims, successes, claims given back) is filled in where it is legal.
 */
export class TaskWalk {
  readonly wrong: string[] = [];
  private state: TaskStatus;
  /** Before the execution was cancelled: the row may say that the task had ended by then. */
  private beforeCancel: { readonly state: TaskStatus; readonly at: number } | undefined;
  private attempt = 0;
  private recoveries = 0;
  private generation = 0;
  private skipReason: string | null = null;
  /** Ways out of Running that are known of: each counts the token up, and so does the claim before it. */
  private exits = 0;

  constructor(
    private readonly hasDependencies: boolean,
    /** Progress begins the count of attempts and recoveries anew; no event tells when. */
    private readonly hasSteps = false,
  ) {
    this.state = this.beginning;
  }

  private get beginning(): TaskStatus {
    return this.hasDependencies ? 'NotStarted' : 'Ready';
  }

  /** Also for the ends of the execution that end its tasks. */
  follow(event: EventFacts): void {
    switch (event.kind) {
      case 'retried':
        this.run(event);
        if (this.hasSteps && event.attempt === 1) this.attempt = 0;
        if (event.attempt !== ++this.attempt)
          this.wrong.push(`attempt ${event.attempt} follows ${this.attempt - 1}`);
        this.recoveries = 0;
        this.become('Ready', event);
        break;
      case 'deferred':
        this.run(event);
        this.become('Ready', event);
        break;
      case 'recovered':
        this.run(event);
        this.recoveries++;
        this.become('Ready', event);
        break;
      case 'abandoned':
        this.run(event);
        this.exits++;
        break;
      case 'taskFailed':
        this.run(event);
        this.attempt++;
        this.become('Failed', event);
        break;
      case 'taskSkipped':
        this.run(event);
        this.skipReason = event.reason;
        this.become('Skipped', event);
        break;
      case 'conflict':
        this.run(event);
        break;
      case 'reset':
        this.reset(event);
        break;
      case 'cancelled':
      case 'timedOut':
        if (isTaskTerminal(this.state)) break;
        this.beforeCancel = { state: this.state, at: event.at };
        this.state = 'Cancelled';
        break;
      default:
        this.wrong.push(`an event that tasks don't have: ${event.kind}`);
    }
  }

  /** What is wrong with the row, given what the log says. */
  end(row: TaskFacts, { maxRecoveryAttempts = Infinity }: HistoryLimits): string[] {
    this.settle(row.status, row.completedAt, row.skipReason);
    if (!this.hasSteps || row.attempt > this.attempt)
      this.same('attempt', row.attempt, this.attempt);
    this.same('generation', row.generation, this.generation);
    const charged = this.hasSteps ? 0 : Math.min(this.recoveries, SUSPECT_AFTER);
    if (row.recoveryAttempts < charged || row.recoveryAttempts > this.recoveries)
      this.wrong.push(`${row.recoveryAttempts} recoveries in the row, ${this.recoveries} told of`);
    if (row.recoveryAttempts > maxRecoveryAttempts)
      this.wrong.push(`${row.recoveryAttempts} recoveries, of ${maxRecoveryAttempts} at most`);
    const claims = this.exits + (row.status === 'Running' ? 1 : 0);
    if (row.token < this.exits + claims)
      this.wrong.push(`token ${row.token}, though claimed ${claims} times`);
    return [...this.wrong, ...wrongAttempts(row)];
  }

  /** It was claimed by then, if it hadn't been. */
  private run(event: EventFacts): void {
    if (this.state !== 'Running') this.become('Running', event);
  }

  private become(to: TaskStatus, { kind }: EventFacts): void {
    if (!canTaskTransition(this.state, to))
      this.wrong.push(`${kind}: it was ${this.state} and can't become ${to}`);
    if (this.state === 'Running') this.exits++;
    this.state = to;
  }

  private reset(event: EventFacts): void {
    const was = event.was ?? this.state;
    this.settle(was, event.wasCompletedAt, event.wasSkipReason);
    if (!isTaskTerminal(was)) this.wrong.push(`reset while ${was}`);
    this.generation++;
    this.attempt = 0;
    this.recoveries = 0;
    this.skipReason = null;
    this.beforeCancel = undefined;
    this.state = this.beginning;
  }

  /** Whether the task can be what a row says, or a reset. */
  private settle(status: TaskStatus, completedAt: number | null, skipReason: string | null): void {
    const { beforeCancel } = this;
    if (status === 'Completed' && beforeCancel !== undefined) {
      if (completedAt === null || completedAt > beforeCancel.at)
        this.wrong.push('Completed after it was cancelled');
      this.state = beforeCancel.state;
    }
    const told: readonly TaskStatus[] = ['Failed', 'Skipped', 'Cancelled'];
    const can =
      this.state === status ||
      // Not told of: claims and successes. A reset may have left it Ready at once.
      (!told.includes(status) && !isTaskTerminal(this.state) && this.mayBe(status));
    if (!can) this.wrong.push(`${status}, though the log leaves it ${this.state}`);
    if (status === 'Completed') this.exits++;
    if (status === 'Skipped' && skipReason !== this.skipReason)
      this.wrong.push(`skipped for ${skipReason}, told of as ${this.skipReason}`);
  }

  private mayBe(status: TaskStatus): boolean {
    // A task with dependencies becomes Ready by them; none goes back to NotStarted.
    if (status === 'NotStarted') return false;
    return status !== 'Ready' || this.state === 'NotStarted' || this.state === 'Running';
  }

  private same(what: string, row: number, log: number): void {
    if (row !== log) this.wrong.push(`${what} ${row} in the row, ${log} by the log`);
  }
}

/** The attempts that failed are kept with their times, the newest of them. */
function wrongAttempts(row: TaskFacts): string[] {
  const { attempts, attempt, status, startedAt } = row;
  const wrong: string[] = [];
  const kept = Math.min(attempt, KEPT_ATTEMPTS);
  const numbers = attempts.map((one) => one.attempt).join();
  const expected = Array.from({ length: kept }, (_, i) => attempt - kept + i + 1).join();
  if (numbers !== expected && !row.hasSteps)
    wrong.push(`keeps the attempts ${numbers}, not ${expected}`);
  let last = 0;
  for (const { attempt: no, startedAt: began, completedAt } of attempts) {
    if (began !== null && (began < last || began > completedAt))
      wrong.push(`attempt ${no} has impossible times`);
    last = completedAt;
  }
  const runs = status === 'Running' || status === 'Completed';
  if (runs && startedAt !== null && startedAt < last)
    wrong.push('began before its last attempt had ended');
  return wrong;
}
