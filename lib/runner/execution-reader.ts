import { Batcher } from '../runtime/batcher.js';
import type { DefinitionCatalog } from '../engine/definitions/definition-catalog.js';
import type { RunnableDefinition } from '../engine/definitions/runnable-definition.js';
import type { HungHandler } from '../engine/execution/hung-handlers.js';
import type { AvailabilityRetry } from '../runtime/availability-retry.js';
import { splitLimitKey, type ExecutionStatus } from '../workflow/index.js';
import { checkId, checkIds } from './call-checks.js';
import { encodeCursor } from './cursor.js';
import { isExecutionId } from './execution-uuid.js';
import type { Execution, ExecutionSummary, ExecutionUpdate } from './execution.js';
import type {
  ExecutionCountFilter,
  ExecutionFilter,
  ExecutionPage,
  WorkflowCounts,
} from './execution-filter.js';
import { viewExecution, viewSummary, viewUpdate } from './execution-view.js';
import type { HistoryEntry } from './history-entry.js';
import { viewHistory } from './history-view.js';
import { checkCountFilter, checkListFilter, zeroCounts } from './list-filter.js';
import type { LimitReader } from './limit-reader.js';
import { definitionToShow } from './stand-in-definition.js';
import type { TurnReader } from './turn-reader.js';
import type { SeenHere } from './waiting-for.js';
import type {
  ExecutionRow,
  ExecutionStore,
  ListedExecution,
  StepDetail,
  WaitingTask,
} from '../store/port/index.js';
import type { FailureClassifier } from '../runtime/failure.js';
import type { Clock } from '../runtime/clock.js';

/** Max executions per call of `get`, and per batch. */
const MAX_READ = 200;
/** Max ids per call of `statuses`. */
const MAX_STATUSES = 1_000;

interface Question {
  readonly id: string;
  readonly askedAt: number;
}

/** Reads executions. Concurrent reads of single executions share their statements. */
export class ExecutionReader {
  private readonly batcher: Batcher<Question, Execution | null>;
  private readonly stepped: Batcher<Question, Execution | null>;
  private readonly withResults: Batcher<Question, Execution | null>;
  private readonly updates: Batcher<Question, ExecutionUpdate | null>;

  constructor(
    private readonly store: ExecutionStore & FailureClassifier,
    private readonly catalog: DefinitionCatalog,
    private readonly whileUnavailable: AvailabilityRetry,
    private readonly hungHandlers: () => readonly HungHandler[],
    private readonly clock: Clock,
    private readonly limits: Pick<LimitReader, 'statesOf'>,
    private readonly pauseOf: SeenHere['pauseOf'],
    private readonly turns: Pick<TurnReader, 'statesOf'>,
  ) {
    const common = {
      clock,
      maxItems: MAX_READ,
      classify: (error: unknown) => store.classifyFailure(error),
      giveUp: ({ askedAt }: Question, error: unknown) => whileUnavailable.giveUp(error, askedAt),
    };
    this.batcher = new Batcher({
      ...common,
      send: (questions) => this.read(idsOf(questions), [true], viewExecution),
    });
    this.stepped = new Batcher({
      ...common,
      send: (questions) => this.read(idsOf(questions), [true, 'listed'], viewExecution),
    });
    this.withResults = new Batcher({
      ...common,
      send: (questions) => this.read(idsOf(questions), [true, 'results'], viewExecution),
    });
    this.updates = new Batcher({
      ...common,
      send: (questions) => this.read(idsOf(questions), [false, 'listed'], viewUpdate),
    });
  }

  /**
   * Null if no execution has this id, if it is not a UUID, or if `workflow` is given and the execution is of another
   * one.
   */
  async get(id: string, workflow?: string, steps: StepDetail = 'none'): Promise<Execution | null> {
    if (!isExecutionId(checkId(id))) return null;
    const batchers = { none: this.batcher, listed: this.stepped, results: this.withResults };
    const found = await batchers[steps].add({ id: id.toLowerCase(), askedAt: this.clock.now() });
    return workflow === undefined || found?.workflow === workflow ? found : null;
  }

  /** The state of the execution without its context. Null if no execution has this id. */
  update(id: string): Promise<ExecutionUpdate | null> {
    return this.updates.add({ id, askedAt: this.clock.now() });
  }

  /** Reads each execution as {@link get} does, in the order of the ids. */
  getMany(
    ids: readonly string[],
    workflow?: string,
    steps?: StepDetail,
  ): Promise<(Execution | null)[]> {
    return Promise.all(checkIds(ids, MAX_READ).map((id) => this.get(id, workflow, steps)));
  }

  /** The keys are the ids as the caller wrote them; ids that no execution has are left out. */
  async statuses(ids: readonly string[]): Promise<Map<string, ExecutionStatus>> {
    const known = checkIds(ids, MAX_STATUSES).filter(isExecutionId);
    const found = await this.whileUnavailable.run(() =>
      this.store.statuses([...new Set(known.map((id) => id.toLowerCase()))]),
    );
    const statuses = new Map<string, ExecutionStatus>();
    for (const id of known) {
      const status = found.get(id.toLowerCase());
      if (status !== undefined) statuses.set(id, status as ExecutionStatus);
    }
    return statuses;
  }

  /** Null if no execution has this id. */
  async history(id: string): Promise<HistoryEntry[] | null> {
    if (!isExecutionId(checkId(id))) return null;
    const row = await this.whileUnavailable.run(() => this.store.history(id));
    if (row === undefined) return null;
    return viewHistory(row, await definitionToShow(this.catalog, row, row.tasks.length));
  }

  /** @param withBuiltIns - whether unfinished executions of the library's own workflows are listed */
  async list(filter: ExecutionFilter, withBuiltIns = false): Promise<ExecutionPage> {
    const { limit, maxRead, ...checked } = checkListFilter(filter);
    // The row after the page tells whether there is another page.
    const limitIsStrict = this.isStrict(checked.limitKey);
    const query = { ...checked, limitIsStrict, withBuiltIns, limit: limit + 1 };
    const { rows, end } = await this.whileUnavailable.run(async () =>
      maxRead === undefined
        ? { rows: await this.store.list(query), end: null }
        : this.store.listWithin(query, maxRead),
    );
    const page = rows.slice(0, limit);
    const last = rows.length > limit ? page.at(-1) : end;
    return {
      items: await this.summariesOf(page),
      nextCursor: last === undefined || last === null ? null : encodeCursor(last),
    };
  }

  async counts(filter: ExecutionCountFilter): Promise<WorkflowCounts[]> {
    const checked = checkCountFilter(filter);
    const byWorkflow = new Map<string, WorkflowCounts>();
    for (const { workflow, status, count } of await this.whileUnavailable.run(() =>
      this.store.count(checked),
    )) {
      const counts = byWorkflow.get(workflow) ?? { workflow, total: 0, byStatus: zeroCounts() };
      counts.total += count;
      counts.byStatus[status as ExecutionStatus] += count;
      byWorkflow.set(workflow, counts);
    }
    return [...byWorkflow.values()].sort((a, b) => (a.workflow < b.workflow ? -1 : 1));
  }

  close(): void {
    this.batcher.close();
    this.stepped.close();
    this.withResults.close();
    this.updates.close();
  }

  /**
   * Summaries show the name of the waiting or failed task, so such executions need their definitions. These are in memory
   * already, unless another release started the execution.
   */
  private async summariesOf(page: readonly ListedExecution[]): Promise<ExecutionSummary[]> {
    const seen = await this.seenBeside(
      page,
      page.flatMap(({ waiting }) => waiting ?? []),
    );
    const definitions = new Map<string, RunnableDefinition>();
    const tasks = Math.max(
      0,
      ...page.map(({ waiting, failedTask }) => (waiting?.taskNo ?? failedTask ?? -1) + 1),
    );
    for (const row of page) {
      const namesTask = row.waiting !== null || row.failedTask !== null;
      if (!namesTask || definitions.has(row.definitionId)) continue;
      definitions.set(row.definitionId, await definitionToShow(this.catalog, row, tasks));
    }
    return page.map((row) => viewSummary(row, definitions.get(row.definitionId), seen));
  }

  private isStrict(limitKey: string | undefined): boolean {
    if (limitKey === undefined) return false;
    return this.catalog.limits.get(splitLimitKey(limitKey).name)?.isStrict === true;
  }

  /** What is known beside the rows: hanging handlers, and the limits and turns for which due tasks and executions wait. */
  private async seenBeside(
    rows: readonly Pick<ExecutionRow, 'turn'>[],
    tasks: readonly WaitingTask[],
  ): Promise<SeenHere> {
    const now = this.clock.wallTime();
    const keys = tasks.flatMap(({ limitKey, status, runAt, paused }) => {
      const isDue = status !== 'Running' && !paused && runAt !== null && runAt.getTime() <= now;
      return limitKey !== null && isDue ? [limitKey] : [];
    });
    const waiting = rows.flatMap(({ turn }) => turn?.key ?? []);
    const [limits, turns] = [await this.limits.statesOf(keys), await this.turns.statesOf(waiting)];
    return { hung: this.hungHandlers(), now, limits, turns, pauseOf: this.pauseOf };
  }

  private async read<T>(
    ids: readonly string[],
    parts: readonly [contexts: boolean, steps?: StepDetail],
    view: (...details: Parameters<typeof viewUpdate>) => T,
  ): Promise<(T | null)[]> {
    const unique = [...new Set(ids)];
    const byId = new Map<string, T>();
    const rows = await this.store.details(unique, ...parts);
    const seen = await this.seenBeside(
      rows,
      rows.flatMap(({ tasks }) => tasks),
    );
    for (const row of rows) {
      const definition = await definitionToShow(this.catalog, row, row.tasks.length);
      byId.set(row.id, view(row, row.tasks, definition, seen));
    }
    return ids.map((id) => byId.get(id) ?? null);
  }
}

function idsOf(questions: readonly Question[]): string[] {
  return questions.map(({ id }) => id);
}
