import { Logger } from '@nestjs/common';
import type { Attempt } from './attempt.js';
import type { TenantQueue } from '../slots/tenant-queue.js';
import type { Clock, Timer } from '../../runtime/clock.js';

/** A handler that runs on for this long after its signal aborted is reported, in milliseconds, or for half the grace. */
const REPORT_AFTER_MS = 5_000;
/**
 * Handlers of a tenant that may be given up for each of its slots. Each still has its memory, its sockets and its
 * locks; a tenant whose every slot was given up ten times needs a restart, not an eleventh.
 */
const MAX_GIVEN_UP_PER_SLOT = 10;

/** A handler in this process that goes on though its signal was aborted. */
export interface HungHandler {
  readonly executionId: string;
  readonly taskNo: number;
  readonly taskName: string;
  readonly workflow: string;
  /** Since its signal was aborted, in milliseconds. */
  readonly ignoredForMs: number;
  /** Whether it still has its slot, so that its task doesn't begin again in this process. */
  readonly keepsSlot: boolean;
}

export interface HungHandlersParts {
  readonly clock: Clock;
  readonly tenant: string;
  /** How long a handler keeps its slot after its signal aborted, in milliseconds. */
  readonly graceMs: number;
  readonly queue: TenantQueue;
  /** The slot of the attempt is to be freed. */
  readonly giveUp: (attempt: Attempt) => void;
}

interface Entry {
  readonly attempt: Attempt;
  readonly abortedAt: number;
  /** `aborted` → `reported` → `givenUp`, or `refused` as long as too many others were given up. */
  state: 'aborted' | 'reported' | 'givenUp' | 'refused';
  timer: Timer | undefined;
}

/**
 * The handlers that go on after their signals aborted. Each is reported, then given up after a grace: its slot is free
 * for other tasks and for its own task's next attempt. Whatever it does later is refused by its old claim token.
 */
export class HungHandlers {
  private readonly logger = new Logger('Cloacina');
  private readonly entries = new Map<Attempt, Entry>();
  private readonly refused = new Set<Entry>();

  constructor(private readonly parts: HungHandlersParts) {}

  /** The signal of a running handler has aborted. */
  aborted(attempt: Attempt): void {
    const { clock, graceMs } = this.parts;
    const entry: Entry = {
      attempt,
      abortedAt: clock.now(),
      state: 'aborted',
      timer: undefined,
    };
    const reportAfterMs = Math.min(REPORT_AFTER_MS, graceMs / 2);
    entry.timer = clock.timer(() => {
      this.report(entry);
      entry.timer = clock.timer(() => this.giveUp(entry), graceMs - reportAfterMs);
    }, reportAfterMs);
    this.entries.set(attempt, entry);
  }

  /** The handler has returned at last, or in time. */
  returned(attempt: Attempt): void {
    const entry = this.entries.get(attempt);
    if (entry === undefined) return;
    this.entries.delete(attempt);
    this.refused.delete(entry);
    entry.timer?.cancel();
    if (entry.state !== 'givenUp') return;
    this.parts.queue.handlerAbandoned(-1);
    const [next] = this.refused;
    if (next !== undefined) this.giveUp(next);
  }

  /** Those that were reported and have not returned, the longest first. */
  list(): HungHandler[] {
    return [...this.entries.values()]
      .filter(({ state }) => state !== 'aborted')
      .map(({ attempt: { claim }, abortedAt, state }) => ({
        executionId: claim.executionId,
        taskNo: claim.task.no,
        taskName: claim.task.name,
        workflow: claim.definition.workflow.name,
        ignoredForMs: Math.round(this.parts.clock.now() - abortedAt),
        keepsSlot: state !== 'givenUp',
      }));
  }

  close(): void {
    for (const { timer } of this.entries.values()) timer?.cancel();
  }

  private report(entry: Entry): void {
    entry.state = 'reported';
    this.logger.warn(
      `${this.nameOf(entry)} goes on though its signal was aborted ${this.secondsSince(entry)} s ago. Let it pass the ` +
        `signal on to what it awaits. It keeps its slot until it returns, and for ` +
        `${this.parts.graceMs / 1_000} s after the abort at most (handlerGrace).`,
    );
  }

  private giveUp(entry: Entry): void {
    const { queue, giveUp } = this.parts;
    const most = MAX_GIVEN_UP_PER_SLOT * queue.limit;
    if (queue.abandonedHandlers >= most) {
      this.refuse(entry, most);
      return;
    }
    this.refused.delete(entry);
    entry.state = 'givenUp';
    queue.handlerAbandoned(1);
    const others = queue.abandonedInProcess;
    this.logger.warn(
      `${this.nameOf(entry)} has not returned ${this.secondsSince(entry)} s after its signal was aborted, so its slot is ` +
        `free for other tasks. What it still does is not recorded. ${others} given up ${others === 1 ? 'handler runs' : 'handlers run'} ` +
        'on in this process.',
    );
    giveUp(entry.attempt);
  }

  /** It keeps its slot until one of those that were given up returns. */
  private refuse(entry: Entry, most: number): void {
    if (this.refused.size === 0) {
      this.logger.error(
        `Tenant "${this.parts.tenant}": ${most} handlers that were given up still run in this process, so no more ` +
          'are given up and the rest keep their slots. Restart the process, and let the handlers heed their signals.',
      );
    }
    entry.state = 'refused';
    this.refused.add(entry);
  }

  private secondsSince({ abortedAt }: Entry): string {
    return ((this.parts.clock.now() - abortedAt) / 1_000).toFixed(1);
  }

  private nameOf({ attempt: { claim } }: Entry): string {
    const { workflow } = claim.definition;
    return (
      `Tenant "${this.parts.tenant}": the handler of task "${claim.task.name}" of workflow "${workflow.name}", ` +
      `execution ${claim.executionId},`
    );
  }
}

/** A sentence on it. */
export function describeHung({ taskName, ignoredForMs, keepsSlot }: HungHandler): string {
  return (
    `A handler of task "${taskName}" goes on in this process, ${(ignoredForMs / 1_000).toFixed(1)} s after its signal ` +
    `was aborted; ${keepsSlot ? 'the task does not begin again here before it returns or is given up (handlerGrace)' : 'its slot was given up, and what it still does is not recorded'}.`
  );
}
