import type { Pacer } from '../../runtime/pacer.js';
import {
  MAX_EXPIRED,
  type EndedExecutionRow,
  type RetentionStore,
} from '../../store/port/index.js';
import { periodOf } from '../../workflow/retention.js';
import type { ArchivedTrees, ArchiveFailure, Archiver, UnreadableTree } from './archiver.js';
import type { KeptPlaces } from './kept-places.js';
import type { RetentionPlan } from './retention-plan.js';

/** Number of executions that one statement looks at. */
const PART = 5_000;
/** Number of kept keys that one statement deletes. */
const MAX_KEYS = 1_000;
/** When an execution is looked at again that could not be deleted for the moment, in milliseconds. */
const AGAIN_MS = 61_000;

export interface RetentionLapParts {
  readonly store: RetentionStore;
  readonly pacer: Pick<Pacer, 'run'>;
  readonly plan: RetentionPlan;
  readonly archiver: Archiver | undefined;
  /** The tops of trees to leave alone: the archive could not have them a while ago. */
  readonly skip: ReadonlySet<string>;
  readonly places: KeptPlaces;
  /** How long keys of deleted executions are kept, in milliseconds. Undefined: not at all. */
  readonly keysMs: number | undefined;
  readonly signal: AbortSignal;
  /** Called after each step, with the number of trees that it deleted, and the place before which all is done. */
  readonly onPart: (deleted: number, behind: string) => Promise<void>;
}

/** What a lap has found. */
export interface LapResult {
  /** In how many milliseconds the first execution is due that the lap has left behind. Infinity: none that has ended. */
  readonly nextInMs: number;
  /** The first execution that was too young to be looked at. Null if there is none. */
  readonly beyond: string | null;
  /** The trees that are kept because they could not be read for the archive. */
  readonly unreadable: readonly UnreadableTree[];
}

/** One way through the ended executions, in the order of their ids, from a place to the first that is too young. */
export class RetentionLap {
  private nextInMs = Infinity;
  private readonly unreadable: UnreadableTree[] = [];
  private failure: ArchiveFailure | undefined;

  constructor(private readonly parts: RetentionLapParts) {}

  /** @throws ArchiveFailure if the archive does not take a tree, or very many can't be read */
  async run(from: string, until: string): Promise<LapResult> {
    const { plan, store, onPart } = this.parts;
    const periods = plan.shortest;
    if (periods === undefined) return { nextInMs: Infinity, beyond: null, unreadable: [] };
    for (let after = from; ;) {
      const part = await this.paced(() => store.walk({ after, until, periods, limit: PART }));
      if (part.nextInMs !== null) this.again(part.nextInMs);
      const due: EndedExecutionRow[] = [];
      for (const row of part.found)
        if (!this.parts.skip.has(row.id) && (await this.isDue(row))) due.push(row);
      for (let at = 0; at < due.length; at += MAX_EXPIRED) {
        await onPart(await this.expire(due.slice(at, at + MAX_EXPIRED)), after);
        if (this.failure !== undefined) throw this.failure;
      }
      await onPart(0, part.last ?? until);
      const { nextInMs, unreadable } = this;
      if (part.last === null) return { nextInMs, beyond: part.beyond, unreadable };
      after = part.last;
    }
  }

  /** Forgets kept keys whose time is over. */
  async expireKeys(): Promise<void> {
    let expired: number;
    do expired = await this.paced(() => this.parts.store.expireKeys(MAX_KEYS));
    while (expired === MAX_KEYS);
  }

  private async isDue(row: EndedExecutionRow): Promise<boolean> {
    const rule = this.parts.plan.ruleOf(row.workflow);
    const period = periodOf(rule, row.status);
    if (period === null) return false;
    if (row.endedForMs < period) {
      this.again(period - row.endedForMs);
      return false;
    }
    if (rule.keepLast === 0) return true;
    const since = await this.keptSince(row.workflow, rule.keepLast);
    return since !== null && row.createdAtMicros < since;
  }

  private keptSince(workflow: string, count: number): Promise<number | null> {
    const { places, store } = this.parts;
    return places.of(workflow, count, () => this.paced(() => store.keptSince(workflow, count)));
  }

  /** Deletes trees. Returns their number. If the archive fails, those are deleted that it has taken before. */
  private async expire(due: readonly EndedExecutionRow[]): Promise<number> {
    const { store } = this.parts;
    const ready = await this.withoutKeys(due);
    if (ready.length === 0) return 0;
    const { archived, unreadable, failure } = await this.archive(ready);
    this.unreadable.push(...unreadable);
    this.failure = failure;
    let left = archived;
    let deleted = 0;
    while (left.length > 0) {
      const trees = left;
      const reply = await this.paced(() => store.delete(trees));
      deleted += reply.deleted.length;
      const ids = new Set(reply.left);
      left = left.filter(({ id }) => ids.has(id));
      // What is left without progress has rows that others have locked.
      if (reply.deleted.length === 0) break;
    }
    // The failures of the archive decide when those are looked at again that can't be read.
    if (deleted + unreadable.length < due.length) this.again(AGAIN_MS);
    return deleted;
  }

  private async archive(ready: readonly EndedExecutionRow[]): Promise<ArchivedTrees> {
    const { archiver, signal } = this.parts;
    if (archiver !== undefined) return archiver.take(ready, signal);
    const archived = ready.map(({ id, generation }) => ({ id, generation, version: null }));
    return { archived, unreadable: [] };
  }

  /** Keeps the keys of executions. Those whose keys were stored only now are deleted by a later lap. */
  private async withoutKeys(due: readonly EndedExecutionRow[]): Promise<EndedExecutionRow[]> {
    const { keysMs, store } = this.parts;
    const keyed = keysMs === undefined ? [] : due.filter(({ hasKey }) => hasKey);
    if (keysMs === undefined || keyed.length === 0) return [...due];
    const ids = keyed.map(({ id }) => id);
    const kept = new Set(await this.paced(() => store.keepKeys(ids, keysMs)));
    const waiting = new Set(ids.filter((id) => !kept.has(id)));
    if (waiting.size > 0) this.again(AGAIN_MS);
    return due.filter(({ id }) => !waiting.has(id));
  }

  private again(inMs: number): void {
    this.nextInMs = Math.min(this.nextInMs, inMs);
  }

  private paced<T>(work: () => Promise<T>): Promise<T> {
    return this.parts.pacer.run(work, this.parts.signal);
  }
}
