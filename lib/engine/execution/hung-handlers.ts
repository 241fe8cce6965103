import { Logger } from '@nestjs/common';
import type { Attempt } from './attempt.js';
import type { TenantQueue } from '../slots/tenant-queue.js';
import type { Clock, Timer } from '../../runtime/clock.js';

/**
 * Time from the abort of its signal until a running handler is reported, in milliseconds. Half the grace, if that is
 * shorter.
 */
const REPORT_AFTER_MS = 5_000;
/**
 * Maximum number of given-up handlers for each slot of a tenant. Each still holds memory, sockets and locks, so a
 * tenant that has given up each slot ten times needs a restart.
 */
const MAX_GIVEN_UP_PER_SLOT = 10;

/** A handler that still runs in this process after its signal was aborted. */
export interface HungHandler {
  readonly executionId: string;
  readonly taskNo: number;
  readonly itemNo: number;
  readonly taskName: string;
  readonly workflow: string;
  /** Time since its signal was aborted, in milliseconds. */
  readonly ignoredForMs: number;
  /** Whether it still has its slot. While it does, its task does not begin again in this process. */
  readonly keepsSlot: boolean;
}

export interface HungHandlersParts {
  readonly clock: Clock;
  readonly tenant: string;
  /** How long a handler keeps its slot after its signal aborted, in milliseconds. */
  readonly graceMs: number;
  readonly queue: TenantQueue;
  /** Frees the slot of the attempt. */
  readonly giveUp: (attempt: Attempt) => void;
}

interface Entry {
  readonly attempt: Attempt;
  readonly abortedAt: number;
  /** `aborted` → `reported` → `givenUp`, or `refused` while too many other handlers are given up. */
  state: 'aborted' | 'reported' | 'givenUp' | 'refused';
  timer: Timer | undefined;
}

/**
 * The handlers that still run after their signals aborted. Each is reported, and given up after a grace period: then
 * its slot is free for other tasks and for the next attempt of its own task. Its old claim token refuses later
 * outcomes.
 */
export class HungHandlers {
  private readonly logger = new Logger('Cloacina');
  private readonly entries = new Map<Attempt, Entry>();
  private readonly refused = new Set<Entry>();

  constructor(private readonly parts: HungHandlersParts) {}

  /** Call when the signal of a running handler has aborted. */
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

  /** Call when a handler has returned, whether or not its signal aborted. */
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

  /** Whether handlers keep their slots because too many others were given up. */
  get isExhausted(): boolean {
    return this.refused.size > 0;
  }

  /** The reported handlers that have not returned, the longest first. */
  list(): HungHandler[] {
    return [...this.entries.values()]
      .filter(({ state }) => state !== 'aborted')
      .map(({ attempt: { claim }, abortedAt, state }) => ({
        executionId: claim.executionId,
        taskNo: claim.taskNo,
        itemNo: claim.itemNo,
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
      `${this.nameOf(entry)} still runs, ${this.secondsSince(entry)} s after its signal was aborted. Pass context.signal ` +
        `to everything that the handler awaits. It keeps its slot until it returns, or until ` +
        `${this.parts.graceMs / 1_000} s after the abort (handlerGrace).`,
    );
    // The grace may be hours, and even then the handler may not be given up.
    entry.attempt.keep();
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
        `free for other tasks. Its outcome will not be recorded. ${others} given-up ${others === 1 ? 'handler still runs' : 'handlers still run'} ` +
        'in this process.',
    );
    giveUp(entry.attempt);
  }

  /** Lets the handler keep its slot until one of the given-up handlers returns. */
  private refuse(entry: Entry, most: number): void {
    if (this.refused.size === 0) {
      this.logger.error(
        `Tenant "${this.parts.tenant}": ${most} handlers that were given up still run in this process, so no more ` +
          'are given up and the rest keep their slots. Restart the process, and make the handlers stop when their signals abort.',
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

/** The `reason` of a task that is blocked by a hung handler. */
export function describeHung({ taskName, ignoredForMs, keepsSlot }: HungHandler): string {
  return (
    `A handler of task "${taskName}" still runs in this process, ${(ignoredForMs / 1_000).toFixed(1)} s after its signal ` +
    `was aborted. ${keepsSlot ? 'The task does not begin again here before the handler returns or is given up (handlerGrace)' : 'The handler was given up, and its outcome will not be recorded'}.`
  );
}
