import type { WorkflowRef } from '../../discovery/workflow-ref.js';
import { Batcher } from '../../runtime/batcher.js';
import type { Clock } from '../../runtime/clock.js';
import type { FailureClassifier } from '../../runtime/failure.js';
import type { PersistentRetry } from '../../runtime/persistent-retry.js';
import type {
  ChildEnd,
  ChildStore,
  ControlStore,
  ExecutionRow,
  ExecutionStore,
  StepRow,
  TenantStore,
  UserTransaction,
} from '../../store/port/index.js';
import { decodeJson, isExecutionEnded, type ExecutionStatus } from '../../workflow/index.js';
import { classifierOf } from '../write-batches.js';
import type { TaskClaim } from '../claims/task-claim.js';
import type { DefinitionCatalog } from '../definitions/definition-catalog.js';
import { lateReads } from '../late-reads.js';
import { ManualRetry } from '../manual-retry.js';
import type { StartRequest } from '../starts/start-request.js';
import type { StepName } from '../waits/step-name.js';
import type { StepServices } from '../waits/step-services.js';
import type { ChildRunner, PreparedOptions, ReadChild } from './child-runner.js';
import type { ChildRequest, ChildStarted, ChildStarter } from './child-starter.js';
import type { EndSettler } from './end-settler.js';

/** Maximum number of executions in one statement. */
const MAX_READ = 500;

export interface ChildrenParts {
  readonly clock: Clock;
  readonly store: FailureClassifier &
    Pick<TenantStore, 'schema'> &
    Pick<ControlStore, 'reset'> &
    Pick<ExecutionStore, 'executions'> & { readonly children: ChildStore };
  readonly whileUnavailable: Pick<PersistentRetry, 'run'>;
  readonly catalog: Pick<DefinitionCatalog, 'find'>;
  readonly nameOf: (workflow: WorkflowRef) => string;
  /** A function, because the runner is created after the engine. */
  readonly runner: () => ChildRunner;
  readonly starter: Pick<ChildStarter, 'start' | 'startIn'>;
  readonly settler: Pick<EndSettler, 'tell' | 'endChildrenOf'>;
  readonly steps: Pick<StepServices, 'record' | 'read'>;
  /** Called when a child was retried in place. */
  readonly retried: (id: string, workflow: string, dueInMs: number) => void;
}

/** What tasks of one tenant do with children: start them, look whether they have ended, and read their results. */
export class Children {
  private readonly looks: Batcher<string, ChildEnd | undefined>;
  private readonly reads: Batcher<string, ExecutionRow | undefined>;

  constructor(private readonly parts: ChildrenParts) {
    const { clock, store } = parts;
    const classify = classifierOf(store);
    const late = lateReads(store.schema, 'the children of tasks');
    this.looks = new Batcher<string, ChildEnd | undefined>({
      clock,
      maxItems: MAX_READ,
      send: async (ids) => byId(ids, await store.children.childEnds([...new Set(ids)])),
      classify,
      late,
    });
    this.reads = new Batcher<string, ExecutionRow | undefined>({
      clock,
      maxItems: MAX_READ,
      send: async (ids) => byId(ids, await store.executions([...new Set(ids)])),
      classify,
      late,
    });
  }

  /** The name of a workflow, which is the default name of the step that starts it. */
  get nameOf(): (workflow: WorkflowRef) => string {
    return this.parts.nameOf;
  }

  /** Checks the arguments of a start. */
  prepare(
    workflow: WorkflowRef,
    input: object | undefined,
    options: PreparedOptions,
  ): Promise<StartRequest> {
    return this.parts.runner().prepareStart(workflow, input, options);
  }

  start(child: ChildRequest): Promise<ChildStarted> {
    return this.parts.starter.start(child);
  }

  startIn(manager: UserTransaction, child: ChildRequest): Promise<ChildStarted> {
    return this.parts.starter.startIn(manager, child);
  }

  handle(id: string): object {
    return this.parts.runner().handle(id);
  }

  /**
   * Looks whether a child has ended. If it has, ends the step that waits for it and returns the step's row. A step that
   * a retry of the parent has opened again first retries its child.
   */
  async look(
    claim: TaskClaim,
    name: StepName,
    { childId, result }: Pick<StepRow, 'childId' | 'result'>,
  ): Promise<StepRow | undefined> {
    const id = childId ?? '';
    const end = await this.looks.add(id);
    if (end === undefined) return this.missing(claim, name, id);
    if (!isExecutionEnded(end.status as ExecutionStatus)) return undefined;
    if (retryFrom(result) === end.generation) {
      await this.retry(id, end.generation);
      return undefined;
    }
    await this.parts.settler.tell(id);
    return this.stepOf(claim, name);
  }

  /** A child that has ended, with its context: of most completed ones the row has it. Undefined if it was deleted. */
  async ended(id: string): Promise<Pick<ReadChild, 'status' | 'context'> | undefined> {
    const row = await this.reads.add(id);
    if (row === undefined) return undefined;
    if (row.context === null) return this.read(id);
    return { status: row.status, context: decodeJson(row.context) as object };
  }

  /** A child with its context, which may have to be joined from the outcomes of its tasks. */
  async read(id: string): Promise<ReadChild | undefined> {
    const { runner, whileUnavailable } = this.parts;
    return (await whileUnavailable.run(() => runner().get(id))) ?? undefined;
  }

  get isBusy(): boolean {
    return this.looks.size > 0 || this.reads.size > 0;
  }

  async whenIdle(): Promise<void> {
    await Promise.all([this.looks.whenIdle(), this.reads.whenIdle()]);
  }

  close(): void {
    this.looks.close();
    this.reads.close();
  }

  /** Retries a failed child in place, unless it was retried since the parent's step was opened again. */
  private async retry(id: string, generation: number): Promise<void> {
    const { store, catalog, settler, retried, whileUnavailable } = this.parts;
    const endChildrenOf = (child: string): Promise<boolean> => settler.endChildrenOf(child);
    const options = { steps: 'keep', generation } as const;
    const retry = new ManualRetry({ store, catalog, endChildrenOf }, id, options);
    const dueInMs = await whileUnavailable.run((resent) => retry.run(resent));
    if (dueInMs !== undefined) retried(id, retry.workflow, dueInMs);
  }

  private async missing(claim: TaskClaim, name: StepName, childId: string): Promise<StepRow> {
    const { executionId, taskNo, itemNo, token } = claim;
    const step = {
      executionId,
      taskNo,
      itemNo,
      name: name.stored,
      kind: 'child',
      status: 'Failed',
      result: JSON.stringify({ status: 'Missing' }),
      error: null,
      childId,
    } as const;
    await this.parts.steps.record(claim, { ...step, token, listensFor: null, due: null });
    return { ...step, listensFor: null, dueInMs: null };
  }

  private async stepOf(claim: TaskClaim, name: StepName): Promise<StepRow | undefined> {
    return (await this.parts.steps.read(claim)).get(name.stored);
  }
}

function byId<T extends { readonly id: string }>(
  ids: readonly string[],
  rows: readonly T[],
): (T | undefined)[] {
  const found = new Map(rows.map((row) => [row.id, row]));
  return ids.map((id) => found.get(id));
}

/** The generation from which a retry of the parent retries the child. */
function retryFrom(result: string | null): number | undefined {
  return result === null ? undefined : (JSON.parse(result) as { retryFrom?: number }).retryFrom;
}
