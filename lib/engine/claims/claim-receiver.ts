import type { ClaimTable } from './claim-table.js';
import type { DefinitionCatalog } from '../definitions/definition-catalog.js';
import { membersOf, type StartFacts } from '../memory/execution-cache.js';
import type { ClaimRow, TaskClaim } from './task-claim.js';
import type { RunnableDefinition } from '../definitions/runnable-definition.js';
import { type ClaimBatch, type ClaimedTask, FIRST_TOKEN } from '../../store/port/index.js';

export interface ClaimReceiverParts {
  readonly catalog: DefinitionCatalog;
  readonly claims: ClaimTable;
  /** Continues with a new claim. */
  readonly take: (claim: TaskClaim) => void;
  /** Sets a timer: the workflow timeout of an execution may pass in `ms` milliseconds. */
  readonly deadlineIn: (ms: number) => void;
}

/** A start that claimed root tasks. */
export interface ClaimedStart extends StartFacts {
  readonly id: string;
  readonly definition: RunnableDefinition;
  /** JSON text of each key of the input context. */
  readonly members: ReadonlyMap<string, string>;
  readonly priority: number;
  readonly traceContext: string | null;
}

/** A dependent that was claimed together with the outcome that made it ready. */
export interface ReadiedClaim {
  readonly taskNo: number;
  readonly token: number;
  readonly unmetDependencies: number;
  readonly generation: number;
  readonly wakes: number;
  readonly hasSteps: boolean;
}

/** Adds new claims to memory and passes them on, whether a claim, a start or an outcome made them. */
export class ClaimReceiver {
  constructor(private readonly parts: ClaimReceiverParts) {}

  fromRow(task: ClaimedTask): void {
    const definition = this.parts.catalog.known(task.definitionId);
    if (definition === undefined) return;
    if (task.isExpired === true) {
      // Held until its timeout ends it: a claim that memory does not have would count as lost.
      this.parts.claims.adopt(task, task.generation, definition);
      this.parts.deadlineIn(0);
      return;
    }
    this.take(task, definition, task.generation, task.input);
    // The execution may begin with this claim. If it began earlier, this timer is late, but the sweep has already set
    // one for its deadline.
    this.watchDeadline(definition);
  }

  fromStart(request: ClaimedStart, claims: number, batch?: ClaimBatch): void {
    const { definition, id } = request;
    const cache = this.parts.claims.cacheOf(id, definition, 0);
    if (!cache.inputKnown) cache.setInput(request.members);
    const { idempotencyKey, tags } = request;
    cache.startFacts = { idempotencyKey, tags };
    cache.traceContext = request.traceContext;
    for (const taskNo of definition.rootsToTake.slice(0, claims)) {
      const claim = firstClaim(definition, {
        executionId: id,
        taskNo,
        token: FIRST_TOKEN,
        ofExecution: request.priority,
        batch,
      });
      this.take(claim, definition, 0);
    }
    this.parts.claims.forgetIdle(id);
    this.watchDeadline(definition);
  }

  /** @param claim - the claim whose outcome made the dependent ready */
  fromOutcome(claim: TaskClaim, readied: ReadiedClaim, batch?: ClaimBatch): void {
    const { definition, executionId } = claim;
    const { taskNo, token, unmetDependencies, generation, wakes, hasSteps } = readied;
    const ofExecution = claim.priority - claim.task.priority;
    const facts = firstClaim(definition, { executionId, taskNo, token, ofExecution, batch });
    this.take({ ...facts, unmetDependencies, wakes, hasSteps }, definition, generation);
  }

  private take(
    facts: ClaimRow,
    definition: RunnableDefinition,
    generation: number,
    input?: string,
  ): void {
    const claim = this.parts.claims.adopt(facts, generation, definition);
    if (claim === undefined) return;
    if (input !== undefined && !claim.cache.inputKnown) claim.cache.setInput(membersOf(input));
    this.parts.take(claim);
  }

  private watchDeadline({ workflow }: RunnableDefinition): void {
    if (workflow.timeoutMs !== undefined) this.parts.deadlineIn(workflow.timeoutMs);
  }
}

/** The first claim of a task. */
function firstClaim(
  definition: RunnableDefinition,
  claim: Pick<ClaimRow, 'executionId' | 'taskNo' | 'token' | 'batch'> & {
    readonly ofExecution: number;
  },
): ClaimRow {
  const { executionId, taskNo, token, ofExecution, batch } = claim;
  return {
    executionId,
    taskNo,
    itemNo: 0,
    token,
    attempt: 0,
    recoveryAttempts: 0,
    unmetDependencies: 0,
    deferredForMs: null,
    priority: ofExecution + (definition.workflow.tasks[taskNo]?.priority ?? 0),
    wakes: 0,
    hasSteps: false,
    // It has become due in the statement that claimed it.
    waitedMs: 0,
    batch,
  };
}
