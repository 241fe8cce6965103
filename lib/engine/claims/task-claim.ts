import { setMaxListeners } from 'node:events';
import type { ExecutionCache } from '../memory/execution-cache.js';
import type { RunnableDefinition } from '../definitions/runnable-definition.js';
import type { ClaimBatch, ClaimKey, StepRow, TaskKey } from '../../store/port/index.js';
import type { CompiledTask } from '../../workflow/index.js';

export interface ClaimRow extends ClaimKey {
  readonly attempt: number;
  readonly recoveryAttempts: number;
  readonly unmetDependencies: number;
  readonly deferredForMs: number | null;
  /** Priority of the task plus priority of the execution; higher first. */
  readonly priority: number;
  readonly wakes: number;
  readonly hasSteps: boolean;
  readonly steps?: readonly StepRow[] | undefined;
  readonly limitKey?: string | undefined;
  readonly batch?: ClaimBatch | undefined;
  readonly waitedMs?: number | undefined;
}

/** A task that this process has claimed. The process owes its outcome. */
export class TaskClaim {
  readonly executionId: string;
  readonly taskNo: number;
  /** 0 for the task itself, from 1 on for an item of the task. */
  readonly itemNo: number;
  readonly key: string;
  readonly task: CompiledTask;
  readonly token: number;
  /** Number of failed attempts that are recorded and count for the retry policy. */
  failures: number;
  readonly recoveryAttempts: number;
  readonly unmetDependencies: number;
  /** Time from the first deferral to the claim, in milliseconds; null if the task was never deferred. */
  readonly deferredForMs: number | null;
  /** Priority of the task plus priority of the execution; higher first. */
  readonly priority: number;
  /** Number of wake-ups of the task before the claim. */
  readonly wakes: number;
  /** Whether steps of the task are stored. */
  readonly hasSteps: boolean;
  /** The stored steps, if the claim returned them. */
  readonly steps: readonly StepRow[] | undefined;
  /** Whether no run of the task before this claim was recorded. A step takes earlier attempts off the row's numbers. */
  readonly isFirstRun: boolean;
  /** The limit and the key whose slot the claim holds. Undefined without a limit. */
  readonly limitKey: string | undefined;
  /** Time from when the task was due to the claim, in milliseconds. Undefined: not known. */
  readonly waitedMs: number | undefined;
  private readonly batch: ClaimBatch | undefined;
  /** Whether the claim was lost or given back: nothing more may be written for it. */
  lost = false;
  /** `waiting`: for its input or a slot. `running`: the handler runs. `settled`: the outcome is being recorded. */
  stage: 'waiting' | 'running' | 'settled' = 'waiting';
  /** The attempt whose handler runs now; it hears when the signal aborts. */
  attempt: { aborted(): void } | undefined;
  /** JSON text of the item, for the claim of an item. It is read after the claim. */
  item: string | undefined;
  private controller: AbortController | undefined;

  constructor(
    facts: ClaimRow,
    readonly definition: RunnableDefinition,
    readonly cache: ExecutionCache,
    /** Time of the claim, by the clock's `now()`. */
    readonly claimedAt: number,
  ) {
    const task = definition.workflow.tasks[facts.taskNo];
    if (task === undefined) {
      throw new Error(`Definition ${definition.id} has no task ${facts.taskNo}.`);
    }
    this.task = task;
    this.executionId = facts.executionId;
    this.taskNo = facts.taskNo;
    this.itemNo = facts.itemNo;
    this.key = claimKey(facts);
    this.token = facts.token;
    this.failures = facts.attempt;
    this.recoveryAttempts = facts.recoveryAttempts;
    this.unmetDependencies = facts.unmetDependencies;
    this.deferredForMs = facts.deferredForMs;
    this.priority = facts.priority;
    this.wakes = facts.wakes;
    this.hasSteps = facts.hasSteps;
    this.steps = facts.steps;
    // A map runs twice, and its row has more than a claim: its items.
    this.isFirstRun =
      facts.attempt === 0 &&
      facts.recoveryAttempts === 0 &&
      !facts.hasSteps &&
      task.node?.kind !== 'map';
    this.limitKey = facts.limitKey;
    this.waitedMs = facts.waitedMs;
    this.batch = facts.batch;
  }

  /** Whether the claim is that of an item of a map. */
  get isItem(): boolean {
    return this.itemNo > 0;
  }

  /** Whether the claim is that of a map, to store its items or to join them. */
  get isMap(): boolean {
    return this.itemNo === 0 && this.task.node?.kind === 'map';
  }

  /** Whether the claim is that of an item whose failure cancels the other items. */
  get failsFast(): boolean {
    const { node } = this.task;
    return this.isItem && node?.kind === 'map' && node.onItemFailure === 'failFast';
  }

  /** False if the claim was lost, or given back by a pause or a shutdown while it waited. */
  get mayBegin(): boolean {
    return !this.lost && this.stage === 'waiting';
  }

  /** Created on first use, because most handlers never read it. */
  get signal(): AbortSignal {
    return (this.controller ??= newController()).signal;
  }

  /** Call once when the database certainly has the end of this claim. */
  ended(): void {
    this.batch?.claimEnded();
  }

  abort(reason: Error): void {
    (this.controller ??= newController()).abort(reason);
    this.attempt?.aborted();
  }

  /** Call when a step is stored: the failures before it no longer count. */
  progressed(): void {
    this.failures = 0;
  }

  lose(reason: Error): void {
    this.lost = true;
    this.abort(reason);
  }
}

/** Node.js warns of more than ten listeners. A handler may pass its signal to any number of parallel calls. */
function newController(): AbortController {
  const controller = new AbortController();
  setMaxListeners(Infinity, controller.signal);
  return controller;
}

export function claimKey({ executionId, taskNo, itemNo }: TaskKey): string {
  return itemNo === 0 ? `${executionId}/${taskNo}` : `${executionId}/${taskNo}/${itemNo}`;
}

/** The key of one claim of a task. */
export function tokenKey(claim: ClaimKey): string {
  return `${claimKey(claim)}/${claim.token}`;
}
