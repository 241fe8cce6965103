import type { TaskContext } from '../../discovery/task-context.js';
import {
  ContextTooLargeError,
  DatabaseUnavailableError,
  TenantMovingError,
} from '../../errors/index.js';
import type { AvailabilityRetry } from '../../runtime/availability-retry.js';
import type {
  AppendReply,
  ItemAppend,
  ItemStore,
  LimitStore,
  MapState,
} from '../../store/port/index.js';
import type { MapNode } from '../../workflow/index.js';
import type { TaskClaim } from '../claims/task-claim.js';
import type { Attempt } from '../execution/attempt.js';
import { thrown, tooLarge, type HandlerCall } from '../execution/handler-call.js';
import { EXPANDED, REFUSED, type HandlerOutcome } from '../execution/handler-outcome.js';
import type { MapRuns } from '../execution/handler-runner.js';
import type { TaskSurroundings } from '../execution/task-surroundings.js';
import { encodeWrites, resultOf, type TaskResult } from '../execution/task-result.js';
import { Expansion } from './expansion.js';
import { ItemLimit, mapKeyOf } from './item-limit.js';
import { checkItems, collectJson, summaryJson } from './map-join.js';
import { RunningMap } from '../execution/running-item.js';

export interface MapRunnerParts {
  readonly store: {
    readonly items: ItemStore;
    readonly limits: Pick<LimitStore, 'closeMap'>;
  };
  readonly whileUnavailable: Pick<AvailabilityRetry, 'run'>;
  /** Maximum size of an item and of the context, in bytes of JSON. */
  readonly maxContextSize: number;
  /** Called when items were stored that may be claimed now. */
  readonly leftReady: (count: number) => void;
  /** Reads the input of an execution if its cache lacks it. */
  readonly fillInput: (claim: TaskClaim) => Promise<void>;
  /** Called when items with a limit were stored that may be claimed now. */
  readonly limitedReady: (limitKeys: readonly string[]) => void;
}

/** Pause before a map runs again whose statements found no database for long, in milliseconds. */
const UNAVAILABLE_PAUSE_MS = 250;

/**
 * Runs maps. A map is claimed twice: to store its items, and when all of them have ended. Its row tells which of the two
 * it is, so a run that a lost process has begun is taken up where it was.
 *
 * States of a map: without items (its first run stores them) → storing, from part to part → Waiting for its items → joined.
 */
export class MapRunner implements MapRuns {
  constructor(private readonly parts: MapRunnerParts) {}

  /** Never rejects. */
  async run(attempt: Attempt, call: HandlerCall, surroundings: TaskSurroundings): Promise<void> {
    const { claim, input } = attempt;
    const context = new RunningMap(claim, input.view, surroundings);
    const { run } = context;
    let outcome: HandlerOutcome | undefined;
    const statements = new OwnStatements(this.parts.whileUnavailable);
    try {
      // Interceptors may return another value, or throw.
      const body = async (): Promise<void> => {
        outcome = await this.advance(attempt, context, statements);
      };
      await call.invoke(attempt, context, undefined, body);
      run.returned();
    } catch (error) {
      if (run.hasOpenPoints) await run.threw();
      // The statement that stored the last items has ended the claim, so nothing can be recorded for it.
      if (outcome !== EXPANDED) {
        if (error === LOST) outcome = REFUSED;
        else if (statements.haveFailed) {
          run.returned();
          outcome = { kind: 'givenBack', delayMs: UNAVAILABLE_PAUSE_MS };
        } else outcome = thrown(attempt, run, error);
      }
    }
    outcome ??= thrown(attempt, run, new Error('An interceptor did not run the task.'));
    try {
      attempt.conclude(outcome);
    } finally {
      attempt.end();
    }
  }

  /** Call when the outcome of a map is recorded. Its limit is no longer needed. A row that stays does no harm. */
  completed(claim: TaskClaim): void {
    const limitKey = mapKeyOf(claim);
    if (limitKey === undefined) return;
    const { store, whileUnavailable } = this.parts;
    whileUnavailable.run(() => store.limits.closeMap(claim, limitKey)).catch(() => undefined);
  }

  private async advance(
    attempt: Attempt,
    context: TaskContext,
    statements: OwnStatements,
  ): Promise<HandlerOutcome> {
    const { claim } = attempt;
    const { node } = claim.task;
    const { store } = this.parts;
    if (node?.kind !== 'map') throw new Error(`Task "${claim.task.name}" is not a map.`);
    const state = await statements.run(() => store.items.state(claim));
    if (state === undefined) return REFUSED;
    if (state.isExpanded) return this.join(attempt, node, state, statements);
    const rows = await this.expand(claim, node, { state, context, statements });
    return rows === 0 ? this.join(attempt, node, state, statements) : EXPANDED;
  }

  /** Stores the items. Returns their number. */
  private async expand(
    claim: TaskClaim,
    node: MapNode,
    { state, context, statements }: Expanding,
  ): Promise<number> {
    const { definition, task, signal } = claim;
    const items = definition.handlers[task.no]?.items;
    if (items === undefined) throw new Error(`No function for the items of "${task.name}".`);
    let { stored } = state;
    const limit = new ItemLimit(claim);
    if (limit.needsInput) await this.parts.fillInput(claim);
    const expansion = new Expansion({
      name: task.name,
      node,
      state,
      maxItemSize: this.parts.maxContextSize,
      signal,
      append: async (part, isLast) => {
        const limitKeys = limit.keysOf(part, stored);
        const more = { items: part, stored, isLast, limitKeys };
        const reply = await this.append(claim, more, statements);
        stored += part.length;
        return reply;
      },
    });
    return expansion.run(items, context);
  }

  private async append(
    claim: TaskClaim,
    part: Pick<ItemAppend, 'items' | 'stored' | 'isLast' | 'limitKeys'>,
    statements: OwnStatements,
  ): Promise<AppendReply> {
    const { store } = this.parts;
    const { executionId, taskNo, itemNo, token } = claim;
    const key = { executionId, taskNo, itemNo, token };
    const reply = await statements.run(() => store.items.append({ ...key, ...part }));
    // After a lost reply too: then the next claim finds how many items are stored.
    if (reply === undefined) throw LOST;
    claim.progressed();
    if (!reply.paused) this.tellOfReady(part.items.length, part.limitKeys, reply.isDue);
    return reply;
  }

  private tellOfReady(items: number, limitKeys: ItemAppend['limitKeys'], isMapDue: boolean): void {
    const { leftReady, limitedReady } = this.parts;
    if (limitKeys !== null && items > 0) limitedReady([...new Set([limitKeys].flat())]);
    const ready = (limitKeys === null ? items : 0) + (isMapDue ? 1 : 0);
    if (ready > 0) leftReady(ready);
  }

  private async join(
    attempt: Attempt,
    node: MapNode,
    state: MapState,
    statements: OwnStatements,
  ): Promise<TaskResult> {
    const { claim, input } = attempt;
    const { no, name } = claim.task;
    const { maxContextSize } = this.parts;
    checkItems(name, node, state);
    const value = node.collect ? await this.collect(claim, statements) : summaryJson(state);
    const writes = new Map([[name, value]]);
    const view = input.view.withWrites(no, writes);
    if (view.bytes > maxContextSize) throw tooLarge(view, maxContextSize);
    return resultOf(claim, input, 'Completed', { view, ...encodeWrites(writes) });
  }

  private async collect(claim: TaskClaim, statements: OwnStatements): Promise<string> {
    const { store, maxContextSize } = this.parts;
    const values = await statements.run(() => collectJson(store.items, claim, maxContextSize));
    if (typeof values === 'string') return values;
    const { largerThan } = values;
    const what = `${claim.task.name}, the values of its items, which results() reads without a limit`;
    throw new ContextTooLargeError(largerThan, maxContextSize, [[what, largerThan]]);
  }
}

/** What an expansion works with. */
interface Expanding {
  readonly state: MapState;
  readonly context: TaskContext;
  readonly statements: OwnStatements;
}

/**
 * The statements of one run of a map. Those of the library are not the attempt's: if the database was unavailable for too
 * long, the map is given back, and goes on later where it was.
 */
class OwnStatements {
  haveFailed = false;

  constructor(private readonly whileUnavailable: Pick<AvailabilityRetry, 'run'>) {}

  async run<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await this.whileUnavailable.run(work);
    } catch (error) {
      this.haveFailed ||=
        error instanceof DatabaseUnavailableError || error instanceof TenantMovingError;
      throw error;
    }
  }
}

/** Ends a run whose claim is gone. A single object, so that no function of the application can throw it. */
const LOST = new Error('The claim was lost.');
