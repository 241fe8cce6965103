import { Logger } from '@nestjs/common';
import { toStoredError } from '../../errors/index.js';
import type { Clock } from '../../runtime/clock.js';
import {
  MAX_BULK,
  type BulkFilter,
  type BulkStore,
  type ScheduleStore,
} from '../../store/port/index.js';
import { pollerOf } from '../../workflow/index.js';
import type { DefinitionCatalog } from '../definitions/definition-catalog.js';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
/** How long records of firings are kept, in milliseconds, and the number of latest ones of each schedule that always are. */
const KEEP_FIRINGS_MS = 30 * DAY;
const KEEP_FIRINGS = 100;
/** How long polls are kept, from their start, in milliseconds. */
const KEEP_POLLS = [
  { statuses: ['Completed'], forMs: DAY },
  { statuses: ['Failed', 'Cancelled'], forMs: 30 * DAY },
] as const;
/** Minimum time between two passes over a tenant, in milliseconds. */
const PASS_MS = 10 * 60_000;
/** Statements for firings, and for each poller, in one round of the sweep, which has other work too. */
const MAX_STATEMENTS = 2;

export interface HistoryPrunerParts {
  readonly clock: Clock;
  readonly tenant: string;
  readonly store: {
    readonly schedules: Pick<ScheduleStore, 'now' | 'prune'>;
    readonly bulk: Pick<BulkStore, 'delete' | 'find' | 'now'>;
  };
  readonly catalog: Pick<DefinitionCatalog, 'names'>;
  /** Whether this process takes part in the tenant's work. */
  readonly mayPrune: () => boolean;
}

/**
 * Deletes old records of firings, and old polls, so that neither piles up. Only a process that has made firings since its
 * last pass does it, so an idle tenant costs nothing. Several processes may do it at the same time.
 *
 * States: nothing to do, due, in a pass. A pass takes some statements each round.
 */
export class HistoryPruner {
  private readonly logger = new Logger('Cloacina');
  private hasRecords = false;
  private isInPass = false;
  private lastPassAt = -Infinity;
  private after: string | null = null;
  private isReported = false;

  constructor(private readonly parts: HistoryPrunerParts) {}

  /** Call when this process has recorded firings. */
  recorded(): void {
    this.hasRecords = true;
  }

  /** Call once each round of the sweep. Never rejects: the next round tries again. */
  async round(): Promise<void> {
    const { clock, mayPrune } = this.parts;
    if (!mayPrune()) return;
    if (!this.isInPass) {
      if (!this.hasRecords || clock.now() - this.lastPassAt < PASS_MS) return;
      this.isInPass = true;
      this.hasRecords = false;
      this.lastPassAt = clock.now();
    }
    try {
      const [areFiringsDone, arePollsDone] = [await this.pruneFirings(), await this.prunePolls()];
      this.isInPass = !areFiringsDone || !arePollsDone;
      this.isReported = false;
    } catch (error) {
      this.report(error);
    }
  }

  /** Returns whether it has reached the last schedule. */
  private async pruneFirings(): Promise<boolean> {
    for (let statements = 0; statements < MAX_STATEMENTS; statements++) {
      const { isDone, next } = await this.parts.store.schedules.prune({
        after: this.after,
        olderThanMs: KEEP_FIRINGS_MS,
        keep: KEEP_FIRINGS,
      });
      this.after = isDone ? null : next;
      if (isDone) return true;
    }
    return false;
  }

  /** Returns whether no poll is left that is old. */
  private async prunePolls(): Promise<boolean> {
    const workflows = this.parts.catalog.names.filter((name) => pollerOf(name) !== undefined);
    if (workflows.length === 0) return true;
    const now = await this.parts.store.schedules.now();
    let isDone = true;
    for (const workflow of workflows) {
      for (const { statuses, forMs } of KEEP_POLLS) {
        const filter = { workflow, statuses, createdBefore: new Date(now - forMs), isTop: true };
        isDone = (await this.prunePollsOf(filter)) && isDone;
      }
    }
    return isDone;
  }

  private async prunePollsOf(filter: BulkFilter): Promise<boolean> {
    const { bulk } = this.parts.store;
    let after = await bulk.now();
    for (let statements = 0; statements < MAX_STATEMENTS; statements++) {
      const polls = await bulk.find(filter, after, MAX_BULK);
      if (polls.length > 0) await bulk.delete(polls.map(({ id }) => id));
      if (polls.length < MAX_BULK) return true;
      // Behind those that could not be deleted, because another session has locked them.
      after = polls.at(-1) ?? after;
    }
    return false;
  }

  /** Reports the first of a series of failures. */
  private report(error: unknown): void {
    if (this.isReported) return;
    this.isReported = true;
    this.logger.warn(
      `Tenant "${this.parts.tenant}": old records of firings and polls could not be deleted, and will be later: ` +
        toStoredError(error).message,
    );
  }
}
