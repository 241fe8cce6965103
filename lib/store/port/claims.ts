import type { LeaseWrite } from './leases.js';
import type { StepRow } from './steps.js';

/**
 * The token of claims that a start makes. It has no random bits: the execution's id is new, so no earlier claim of the task
 * can exist.
 */
export const FIRST_TOKEN = 2 ** 33;

/** Identifies a task of an execution, or an item of a task. */
export interface TaskKey {
  readonly executionId: string;
  readonly taskNo: number;
  /** 0 for the task itself, from 1 on for an item of the task. */
  readonly itemNo: number;
}

/**
 * The claims that one statement made. A store may keep an entry in the database for each batch, which it deletes when all
 * claims of the batch have ended.
 */
export interface ClaimBatch {
  /** Call once for a claim of the batch when the database certainly has its end: an outcome, or that it was given back. */
  claimEnded(): void;
}

export interface ClaimedTask extends TaskKey {
  /**
   * Whether the execution may no longer begin, because its `startBefore` has passed. The task must not run; the deadline
   * of the execution ends it.
   */
  readonly isExpired?: boolean;
  readonly definitionId: string;
  readonly token: number;
  /** Number of failures recorded so far. */
  readonly attempt: number;
  readonly recoveryAttempts: number;
  readonly unmetDependencies: number;
  readonly generation: number;
  /** Time since the task's first deferral, in ms, by the database's clock. Null if it was not deferred. */
  readonly deferredForMs: number | null;
  /** The sum of the task's and the execution's priorities. */
  readonly priority: number;
  /** Number of wake-ups so far. A suspension with another number than the row's is answered by another run at once. */
  readonly wakes: number;
  /** Whether steps of the task are stored, so they have to be read before the handler asks for them. */
  readonly hasSteps: boolean;
  /** JSON text of the execution's input, if the claim returned it. */
  readonly input?: string | undefined;
  /** All steps of the task, if the claim returned them. */
  readonly steps?: readonly StepRow[] | undefined;
  /** The limit and the key that the task counts for. Undefined without a limit, and if a recovery took the claim. */
  readonly limitKey?: string | undefined;
  /** Undefined if the store keeps no batches. */
  readonly batch?: ClaimBatch | undefined;
  /** Time since the task became due, in milliseconds. Undefined unless the claim was asked for it. */
  readonly waitedMs?: number | undefined;
}

/** Identifies a claim: its task, and the token that no other claim has. */
export type ClaimKey = Pick<ClaimedTask, keyof TaskKey | 'token'>;

/** Which due tasks a claim leaves out. */
export interface ClaimChoice {
  readonly except?: readonly TaskKey[];
  /** Skip tasks whose execution another session has locked, instead of waiting for the lock. */
  readonly pastLocks?: boolean;
  /** Return for how long the tasks were due. Ignored with `pastLocks`. Default: false. */
  readonly timed?: boolean;
}

/**
 * Which of the tasks that a statement wakes it claims at once. So a task that is woken where it can run needs no statement
 * that claims it.
 */
export interface WakeClaims {
  readonly lease: LeaseWrite;
  /** Maximum number of claims. With 0 the woken tasks are due, for whichever process claims them. */
  readonly room: number;
  readonly definitions: readonly string[];
  /** As for {@link ClaimStore.claim}. */
  readonly unknown: readonly (readonly [definition: string, task: number])[];
  /** Tasks that it must not claim. */
  readonly except?: readonly TaskKey[];
}

/** The claimable tasks that a statement has woken. */
export interface Woken {
  /** Those that it claimed. */
  readonly claims: readonly ClaimedTask[];
  /** Number of the others. */
  readonly due: number;
}

/**
 * Why a claim ends without an outcome:
 * - `retry`: the attempt failed, and another one follows. The failure is counted and stored.
 * - `defer`: the task waits for a condition. Nothing is counted.
 * - `giveBack`: the task did not begin here, or the process is stopping. Nothing is counted.
 * - `suspend`: the task waits for something outside of it, as Waiting. Nothing is counted.
 */
export type RescheduleKind = 'retry' | 'defer' | 'giveBack' | 'suspend';

/**
 * What became of a claim that was to end:
 * - `ended`: the task is Ready or Waiting, as the item says.
 * - `woken`: a suspended task was woken after its claim, so it is due at once.
 * - `refused`: the claim was no longer held.
 */
export type RescheduleResult = 'ended' | 'woken' | 'refused';

export interface Reschedule extends ClaimKey {
  readonly kind: RescheduleKind;
  /** When the task is due. Null, only for `suspend`: when it is woken. */
  readonly delayMs: number | null;
  /** For `suspend`: the number of wake-ups that the claim returned. */
  readonly wakes: number;
  /** For `suspend`: the number of children of which only the last one wakes the task. Default: 0, each one does. */
  readonly joins?: number | undefined;
  /** The failed attempt's error, for `retry`. */
  readonly error: unknown;
}

/** Claims tasks, and ends claims without an outcome. */
export interface ClaimStore {
  /** Claims up to `limit` due tasks. `unknown` lists tasks of the definitions for which this process has no handler. */
  claim(
    definitions: readonly string[],
    unknown: readonly (readonly [definition: string, task: number])[],
    limit: number,
    lease: LeaseWrite,
    choice?: ClaimChoice,
  ): Promise<ClaimedTask[]>;
  /** Ends claims. The items must be sorted by {@link byLockOrder}. The results are by index. */
  reschedule(items: readonly Reschedule[]): Promise<RescheduleResult[]>;
  /** From this number of recoveries on, a task is a suspect and must begin with {@link ClaimStore.beginSuspect}. */
  readonly suspectAfter: number;
  /** Notes that a suspect begins. Returns whether the claim is still valid. */
  beginSuspect(claim: ClaimKey): Promise<boolean>;
  /** All claims of an instance. */
  claimsOf(instanceId: string): Promise<ClaimedTask[]>;
  /** Paused executions in which the instance has claims. */
  pausedExecutions(instanceId: string): Promise<string[]>;
}
