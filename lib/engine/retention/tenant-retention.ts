import { randomUUID } from 'node:crypto';
import { Logger } from '@nestjs/common';
import type { RegisteredWorkflow } from '../../discovery/registered-workflow.js';
import { toPlainError, toStoredError } from '../../errors/index.js';
import type { Clock } from '../../runtime/clock.js';
import type { FailureClassifier } from '../../runtime/failure.js';
import type { Pacer } from '../../runtime/pacer.js';
import type { RetentionNote, RetentionStore, RetentionTurn } from '../../store/port/index.js';
import { KEEP_ALL, type RetentionRule } from '../../workflow/retention.js';
import { ArchiveFailures } from './archive-failures.js';
import { Archiver, ArchiveFailure, MAX_CALL_MS, type Archive } from './archiver.js';
import { KeptPlaces } from './kept-places.js';
import { RetentionLap, type LapResult } from './retention-lap.js';
import { RetentionPlan } from './retention-plan.js';
import {
  FIRST_ID,
  firstIdAt,
  freshIntervalMs,
  fullIntervalMs,
  instantOfId,
  MAX_FULL_MS,
  MAX_IDLE_MS,
  TURN_MARGIN_MS,
} from './retention-times.js';

/** Pause after a failure of the database, in milliseconds, and between two lines about it in the log. */
const FAILED_PAUSE_MS = 60_000;
const WARN_EVERY_MS = 600_000;
/** The turn is renewed during a lap when this time has passed, in milliseconds. */
const RENEW_MS = 30_000;
/** Processes without the turn ask for it at different times within this span, in milliseconds. */
const SPREAD_MS = 60_000;

/** The tenant's retention, checked. */
export interface RetentionSettings {
  readonly rule: RetentionRule;
  /** How long events are kept whose definition does not say it, in milliseconds. */
  readonly eventsMs?: number;
  /** How long idempotency keys outlive their executions, in milliseconds. Absent: they do not. */
  readonly keysMs?: number;
}

export interface TenantRetentionParts {
  readonly tenant: string;
  readonly clock: Clock;
  readonly store: FailureClassifier & { readonly retention: RetentionStore };
  readonly settings: RetentionSettings | undefined;
  readonly workflows: () => readonly RegisteredWorkflow[];
  /** Absent: there is no retention in this process. */
  readonly pacer: Pick<Pacer, 'run'> | undefined;
  readonly archive: Archive | undefined;
}

/**
 * Deletes the ended executions of a tenant when their time is over.
 *
 * One process of a tenant has the turn, which is a row with a time limit; the others ask for it when that is over. The turn
 * only avoids double work: the statements are right if several processes delete at the same time.
 *
 * A lap goes through the executions in the order of their starts. A fresh lap begins where the last one ended, so its cost
 * follows from the executions that have become due. A full lap begins with the first execution: it finds what was kept the last time,
 * because it had not ended, is kept longer, or was locked.
 *
 * States: waits for its next lap, in a lap, closed.
 */
export class TenantRetention {
  private readonly logger = new Logger('Cloacina');
  private readonly holder = randomUUID();
  private readonly over = new AbortController();
  private readonly plan: RetentionPlan;
  private lap: Promise<void> | undefined;
  private holdsTurn = false;
  private hasStoredRules = false;
  private nextAt = -Infinity;
  private freshAt = -Infinity;
  private fullAt = -Infinity;
  /** For how long the latest full lap worked, in milliseconds. */
  private fullWorkedMs = 0;
  /** All executions before this id were looked at. */
  private frontier = FIRST_ID;
  private warnedAt = -Infinity;
  private readonly failures: ArchiveFailures;
  private failuresInRow = 0;
  private readonly places: KeptPlaces;

  constructor(private readonly parts: TenantRetentionParts) {
    this.plan = new RetentionPlan(parts.settings?.rule ?? KEEP_ALL, parts.workflows);
    this.failures = new ArchiveFailures(parts.tenant, parts.clock);
    this.places = new KeptPlaces(parts.clock);
  }

  /** How often the archive has failed in a row. 0 in a process that does not have the turn. */
  get archiveFailures(): number {
    return this.holdsTurn ? this.failuresInRow : 0;
  }

  get isBusy(): boolean {
    return this.lap !== undefined;
  }

  /** Call once each round of the sweep. Begins a lap if one is due, and does not wait for it. */
  round(): void {
    const { clock, pacer } = this.parts;
    if (pacer === undefined || this.isBusy || this.over.signal.aborted) return;
    if (clock.now() < this.nextAt) return;
    if (this.plan.shortest === undefined && !this.mustStoreRules) return;
    this.lap = this.run(pacer)
      .catch((error: unknown) => this.failed(error))
      .finally(() => (this.lap = undefined));
  }

  async whenIdle(): Promise<void> {
    await this.lap;
  }

  /** Ends a lap behind its current statement, and gives the turn back. */
  async close(): Promise<void> {
    if (this.over.signal.aborted) return;
    this.over.abort(new Error('The tenant is closed.'));
    await this.lap;
    if (!this.holdsTurn) return;
    this.holdsTurn = false;
    await this.note({ holdMs: 0 }).catch(() => undefined);
  }

  private get mustStoreRules(): boolean {
    return !this.hasStoredRules && Object.keys(this.plan.ofCode).length > 0;
  }

  private async run(pacer: Pick<Pacer, 'run'>): Promise<void> {
    const { clock } = this.parts;
    const turn = await this.takeTurn();
    this.holdsTurn = turn.isMine && this.plan.shortest !== undefined;
    if (!turn.isMine) {
      this.nextAt = clock.now() + turn.heldForMs + clock.random() * SPREAD_MS;
      return;
    }
    if (!this.holdsTurn) {
      await this.note({ holdMs: 0 });
      this.nextAt = clock.now() + MAX_IDLE_MS;
      return;
    }
    this.failuresInRow = turn.failures;
    if (this.failures.isNews(turn)) this.fullAt = -Infinity;
    try {
      if (clock.now() >= Math.min(this.freshAt, this.fullAt)) await this.goRound(pacer, turn);
      this.nextAt = Math.min(this.freshAt, this.fullAt, clock.now() + MAX_IDLE_MS);
      await this.note({ holdMs: this.holdMs, hasEnded: true });
    } catch (error) {
      if (!(error instanceof ArchiveFailure)) throw error;
      await this.archiveFailed(error, turn);
    }
  }

  /** How long the turn lasts without a word. An archive may take as long as it may. */
  private get marginMs(): number {
    return TURN_MARGIN_MS + (this.parts.archive === undefined ? 0 : MAX_CALL_MS);
  }

  /** Until the next lap, and a while longer in which it may be late. */
  private get holdMs(): number {
    return Math.ceil(Math.max(0, this.nextAt - this.parts.clock.now()) + this.marginMs);
  }

  private async takeTurn(): Promise<RetentionTurn> {
    const { store } = this.parts;
    const take = (rules: object): Promise<RetentionTurn> =>
      store.retention.takeTurn(this.holder, this.marginMs, rules as never);
    const turn = await take(this.plan.ofCode);
    this.hasStoredRules = true;
    const changes = this.plan.takeStored(turn.rules);
    return Object.keys(changes).length === 0 ? turn : take(changes);
  }

  private async goRound(pacer: Pick<Pacer, 'run'>, turn: RetentionTurn): Promise<void> {
    const { archive, clock, settings, store } = this.parts;
    const periodMs = shortestOf(this.plan);
    const isFull = clock.now() >= this.fullAt;
    let workedMs = 0;
    const counting: Pick<Pacer, 'run'> = {
      run: (work, signal) =>
        pacer.run(async () => {
          const began = clock.now();
          const result = await work();
          workedMs += clock.now() - began;
          return result;
        }, signal),
    };
    let notedAt = clock.now();
    let deleted = 0;
    const skip = this.failures.toSkip;
    const lap = new RetentionLap({
      store: store.retention,
      pacer: counting,
      plan: this.plan,
      archiver:
        archive === undefined
          ? undefined
          : new Archiver({ clock, store: store.retention, archive, memory: this.failures }),
      skip,
      places: this.places,
      keysMs: settings?.keysMs,
      signal: this.over.signal,
      onPart: async (count, behind) => {
        deleted += count;
        if (behind > this.frontier) this.frontier = behind;
        if (clock.now() - notedAt < RENEW_MS) return;
        notedAt = clock.now();
        await this.note({ holdMs: this.marginMs, deleted });
        deleted = 0;
      },
    });
    try {
      const until = firstIdAt(turn.now - periodMs);
      const result = await lap.run(isFull ? FIRST_ID : this.frontier, until);
      if (isFull && settings?.keysMs !== undefined) await lap.expireKeys();
      const failure = this.failures.lapEnded(result.unreadable, skip, turn, isFull);
      const nextInMs = Math.min(result.nextInMs, this.failures.readAgainInMs);
      this.planNext({ ...result, nextInMs }, { periodMs, isFull, workedMs, now: turn.now });
      if (failure !== undefined) {
        this.failuresInRow = failure === null ? 0 : turn.failures + 1;
        await this.note({ holdMs: this.marginMs, failure });
      }
    } finally {
      if (deleted > 0) await this.note({ holdMs: this.marginMs, deleted });
    }
  }

  private planNext(
    { nextInMs, beyond }: LapResult,
    {
      periodMs,
      isFull,
      workedMs,
      now: databaseNow,
    }: { periodMs: number; isFull: boolean; workedMs: number; now: number },
  ): void {
    const now = this.parts.clock.now();
    if (isFull) this.fullWorkedMs = workedMs;
    const intervalMs = fullIntervalMs(periodMs, this.fullWorkedMs);
    // What has not ended yet is due a whole period later at the earliest.
    const fullAt = now + Math.min(Math.max(Math.min(nextInMs, periodMs), intervalMs), MAX_FULL_MS);
    this.fullAt = isFull ? fullAt : Math.min(this.fullAt, fullAt);
    const freshIn = beyond === null ? periodMs : instantOfId(beyond) + periodMs - databaseNow;
    this.freshAt = now + Math.max(freshIn, freshIntervalMs(periodMs));
  }

  private async archiveFailed(cause: ArchiveFailure, turn: RetentionTurn): Promise<void> {
    const { failure, pauseMs } = this.failures.refused(cause, turn);
    this.failuresInRow = turn.failures + 1;
    this.nextAt = this.parts.clock.now() + pauseMs;
    // What the failed part has left behind is in no later part.
    this.fullAt = this.nextAt;
    await this.note({ holdMs: this.holdMs, failure });
  }

  private failed(error: unknown): void {
    const { clock, store, tenant } = this.parts;
    if (this.over.signal.aborted) return;
    this.nextAt = clock.now() + FAILED_PAUSE_MS;
    this.fullAt = -Infinity;
    if (store.classifyFailure(error).kind === 'connection') return;
    if (clock.now() - this.warnedAt < WARN_EVERY_MS) return;
    this.warnedAt = clock.now();
    this.logger.warn(
      `Tenant "${tenant}": ended executions could not be deleted. It is tried again in a minute: ${toStoredError(error).message}`,
    );
  }

  private note(
    note: Pick<RetentionNote, 'holdMs'> & Partial<Omit<RetentionNote, 'holder'>>,
  ): Promise<void> {
    const { store } = this.parts;
    const given = { holder: this.holder, deleted: 0, hasEnded: false, ...note };
    return store.retention.note(given).catch((error: unknown) => {
      // The encoding of the database may lack characters of the archive's error.
      if (store.classifyFailure(error).kind !== 'data') throw error;
      const failure = given.failure && toPlainError(given.failure);
      return store.retention.note({ ...given, ...(failure ? { failure } : {}) });
    });
  }
}

function shortestOf({ shortest }: RetentionPlan): number {
  const { completedMs, failedMs, cancelledMs } = shortest ?? KEEP_ALL;
  return Math.min(...[completedMs, failedMs, cancelledMs].flatMap((ms) => ms ?? []));
}
