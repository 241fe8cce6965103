import { Batcher } from '../../runtime/batcher.js';
import { lateReads } from '../late-reads.js';
import { type CachedTask, type ExecutionCache, membersOf } from './execution-cache.js';
import type {
  OutcomeStore,
  RecordedOutcome,
  TaskKey,
  TenantStore,
} from '../../store/port/index.js';
import type { FailureClassifier } from '../../runtime/failure.js';
import type { Clock } from '../../runtime/clock.js';

/** Maximum number of rows read by one batch. */
const MAX_ROWS = 2_000;

interface Missing {
  readonly claim: CachedTask;
  readonly tasks: readonly number[];
}

/**
 * Reads the inputs of claimed tasks that the caches lack, for many claims at once. It reads after the claim and in
 * statements of its own, because the claiming statement might not see the latest outcomes.
 */
export class InputReader {
  private readonly batcher: Batcher<Missing, undefined>;

  /** @param readsTraces - whether this process traces, so that it needs the spans of starts too */
  constructor(
    private readonly store: OutcomeStore & FailureClassifier & Pick<TenantStore, 'schema'>,
    clock: Clock,
    private readonly readsTraces: () => boolean = () => false,
  ) {
    this.batcher = new Batcher<Missing, undefined>({
      clock,
      maxItems: 500,
      weight: ({ tasks }) => tasks.length + 1,
      maxWeight: MAX_ROWS,
      send: (items) => this.read(items),
      classify: (error) => store.classifyFailure(error),
      late: lateReads(store.schema, 'the inputs of tasks'),
    });
  }

  /** Whether the cache has everything that the input of the claimed task needs. */
  isKnown(claim: CachedTask): boolean {
    const { cache: memory, task } = claim;
    if (this.lacksTrace(memory)) return false;
    if (task.dependsOn.length === 0) return memory.inputKnown;
    return task.dependsOn.every((no) => memory.outcome(no) !== undefined);
  }

  /** Reads the outcomes that the input of the claimed task needs. */
  async fill(claim: CachedTask): Promise<void> {
    await this.batcher.add({ claim, tasks: claim.cache.missingFor(claim.task.no) });
  }

  /** Reads the outcomes that the final context needs. */
  async fillForEnd(claim: CachedTask): Promise<void> {
    await this.batcher.add({ claim, tasks: claim.cache.missingForEnd() });
  }

  get isBusy(): boolean {
    return this.batcher.size > 0;
  }

  whenIdle(): Promise<void> {
    return this.batcher.whenIdle();
  }

  close(): void {
    this.batcher.close();
  }

  private async read(items: readonly Missing[]): Promise<undefined[]> {
    const memories = new Map(items.map(({ claim }) => [claim.executionId, claim.cache]));
    await this.readInputs(
      [...memories]
        .filter(([, memory]) => !memory.inputKnown || this.lacksTrace(memory))
        .map(([id]) => id),
      memories,
    );
    const wanted = new Map<string, TaskKey>();
    for (const { claim, tasks } of items) {
      for (const taskNo of tasks) {
        const { executionId } = claim;
        // A dependency is a task, never an item.
        wanted.set(`${executionId}/${taskNo}`, { executionId, taskNo, itemNo: 0 });
      }
    }
    const rows = wanted.size === 0 ? [] : await this.store.outcomes([...wanted.values()]);
    const byExecution = new Map<string, RecordedOutcome[]>();
    for (const row of rows) {
      const outcomes = byExecution.get(row.executionId);
      if (outcomes === undefined) byExecution.set(row.executionId, [row]);
      else outcomes.push(row);
    }
    for (const [id, outcomes] of byExecution) memories.get(id)?.load(outcomes);
    return items.map(() => undefined);
  }

  private async readInputs(
    ids: readonly string[],
    memories: ReadonlyMap<string, ExecutionCache>,
  ): Promise<void> {
    if (ids.length === 0) return;
    for (const [id, { input, traceContext }] of await this.store.inputs(ids)) {
      const memory = memories.get(id);
      if (memory === undefined) continue;
      if (!memory.inputKnown) memory.setInput(membersOf(input));
      memory.traceContext = traceContext;
    }
  }

  /** Of an execution that another process started, few claims return its input, and none of them the span. */
  private lacksTrace(memory: ExecutionCache): boolean {
    return memory.traceContext === undefined && this.readsTraces();
  }
}
