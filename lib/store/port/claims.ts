import type { LeaseWrite } from './leases.js';

/**
 * The token of the claims that a start makes. Without random bits: the execution's id is new, and no other claim of the
 * same task can be the first one.
 */
export const FIRST_TOKEN = 2 ** 33;

/** A task of an execution. */
export interface TaskKey {
  readonly executionId: string;
  readonly taskNo: number;
}

export interface ClaimedTask {
  readonly executionId: string;
  readonly taskNo: number;
  readonly definitionId: string;
  readonly token: number;
  /** Failures recorded so far. */
  readonly attempt: number;
  readonly recoveryAttempts: number;
  readonly unmetDependencies: number;
  readonly generation: number;
  /** How long ago the task was first deferred, by the database's clock; null if it wasn't. */
  readonly deferredForMs: number | null;
  /** The task's and the execution's together. */
  readonly priority: number;
  /** JSON text of the execution's input, where the claim has come by it. */
  readonly input?: string | undefined;
}

/** A claim: its task, and the token that only this claim has. */
export type ClaimKey = Pick<ClaimedTask, 'executionId' | 'taskNo' | 'token'>;

/** What a claim leaves out of what is due. */
export interface ClaimChoice {
  readonly except?: readonly TaskKey[];
  /** Tasks whose execution another session has locked, rather than wait for the lock. */
  readonly pastLocks?: boolean;
}

/**
 * Why a claim is given up without an outcome:
 * - `retry`: the attempt failed and another one follows; it is counted and kept.
 * - `defer`: the task waits for a condition; nothing is counted.
 * - `giveBack`: it never began here, or the process is stopping; nothing is counted.
 */
export type RescheduleKind = 'retry' | 'defer' | 'giveBack';

export interface Reschedule {
  readonly executionId: string;
  readonly taskNo: number;
  readonly token: number;
  readonly kind: RescheduleKind;
  readonly delayMs: number;
  /** The failed attempt's error, for `retry`. */
  readonly error: unknown;
}

/** Claims of tasks, and how they end without an outcome. */
export interface ClaimStore {
  claim(
    definitions: readonly string[],
    unknown: readonly (readonly [definition: string, task: number])[],
    limit: number,
    lease: LeaseWrite,
    choice?: ClaimChoice,
  ): Promise<ClaimedTask[]>;
  /** Sorted by execution and task; by index, whether the claim was still held. */
  reschedule(items: readonly Reschedule[]): Promise<boolean[]>;
  /** From this number of recoveries on a task is a suspect, and begins with {@link ClaimStore.beginSuspect}. */
  readonly suspectAfter: number;
  /** Whether the claim is still held. */
  beginSuspect(executionId: string, taskNo: number, token: number): Promise<boolean>;
  claimsOf(instanceId: string): Promise<ClaimedTask[]>;
  /** Paused executions in which the instance holds claims. */
  pausedExecutions(instanceId: string): Promise<string[]>;
}
