import { setMaxListeners } from 'node:events';
import type { ExecutionCache } from '../memory/execution-cache.js';
import type { RunnableDefinition } from '../definitions/runnable-definition.js';
import type { CompiledTask } from '../../workflow/index.js';

export interface ClaimRow {
  readonly executionId: string;
  readonly taskNo: number;
  readonly token: number;
  readonly attempt: number;
  readonly recoveryAttempts: number;
  readonly unmetDependencies: number;
  readonly deferredForMs: number | null;
  /** The task's and the execution's together. */
  readonly priority: number;
}

/** A task that this process has claimed and whose outcome it owes. */
export class TaskClaim {
  readonly executionId: string;
  readonly taskNo: number;
  readonly key: string;
  readonly task: CompiledTask;
  readonly token: number;
  /** Failures recorded so far. */
  readonly failures: number;
  readonly recoveryAttempts: number;
  readonly unmetDependencies: number;
  /** How long ago the task was first deferred, at the time of the claim. */
  readonly deferredForMs: number | null;
  /** The task's and the execution's together; higher first. */
  readonly priority: number;
  /** Set when the claim is known to be lost, or was given back: nothing may be written for it any more. */
  lost = false;
  /** `waiting` for its input or a slot; `running` in its handler; `settled`: what came of it is being recorded. */
  stage: 'waiting' | 'running' | 'settled' = 'waiting';
  /** Set while its handler runs: told when the signal aborts. */
  attempt: { aborted(): void } | undefined;
  private controller: AbortController | undefined;

  constructor(
    facts: ClaimRow,
    readonly definition: RunnableDefinition,
    readonly cache: ExecutionCache,
    /** By the clock's `now()`. */
    readonly claimedAt: number,
  ) {
    const task = definition.workflow.tasks[facts.taskNo];
    if (task === undefined) {
      throw new Error(`Definition ${definition.id} has no task ${facts.taskNo}.`);
    }
    this.task = task;
    this.executionId = facts.executionId;
    this.taskNo = facts.taskNo;
    this.key = claimKey(facts.executionId, facts.taskNo);
    this.token = facts.token;
    this.failures = facts.attempt;
    this.recoveryAttempts = facts.recoveryAttempts;
    this.unmetDependencies = facts.unmetDependencies;
    this.deferredForMs = facts.deferredForMs;
    this.priority = facts.priority;
  }

  /** Not if it was lost, or given back by a pause or a shutdown while it waited. */
  get mayBegin(): boolean {
    return !this.lost && this.stage === 'waiting';
  }

  /** Made when first asked for: most handlers never look at it. */
  get signal(): AbortSignal {
    return (this.controller ??= newController()).signal;
  }

  abort(reason: Error): void {
    (this.controller ??= newController()).abort(reason);
    this.attempt?.aborted();
  }

  lose(reason: Error): void {
    this.lost = true;
    this.abort(reason);
  }
}

/** What a handler calls in parallel listens to its signal, each call by itself: more than ten of them are no leak. */
function newController(): AbortController {
  const controller = new AbortController();
  setMaxListeners(Infinity, controller.signal);
  return controller;
}

export function claimKey(executionId: string, taskNo: number): string {
  return `${executionId}/${taskNo}`;
}
