import type { AdmissionRequest } from './admissions.js';
import type { ClaimBatch } from './claims.js';
import type { LeaseWrite } from './leases.js';
import type { UserTransaction } from './transactions.js';

/** The initial task rows of every execution of one definition. Arrays are indexed by task number. */
export interface StartPlan {
  readonly definitionId: string;
  readonly workflow: string;
  readonly timeoutMs: number | null;
  readonly leaves: number;
  readonly pendingDependencies: readonly number[];
  /**
   * The position of a root task among the roots. -1 for other tasks. Roots with a limit come last, because a start never
   * claims them.
   */
  readonly rootOrdinals: readonly number[];
  readonly priorities: readonly number[];
}

/** Until when an execution must begin: an instant, or a time from its start. One of them is null. */
export interface StartLimit {
  readonly at: Date | null;
  readonly inMs: number | null;
}

/** An execution to start. */
export interface StartItem {
  readonly id: string;
  readonly plan: StartPlan;
  /** JSON text of the input context. */
  readonly input: string;
  readonly priority: number;
  readonly runAt: Date | null;
  readonly delayMs: number | null;
  /** Null: it may begin at any time. */
  readonly startBefore: StartLimit | null;
  readonly idempotencyKey: string | null;
  /** JSON text of an object of strings, or null for none. */
  readonly tags: string | null;
  /** JSON text of an object: for each task with a limit, its number and its key. Null without limits. */
  readonly limitKeys: string | null;
  /** The slot that the execution needs before its first task. Null without an admission. */
  readonly admission: AdmissionRequest | null;
  /** The span of the start, to continue its trace in other processes. Null without tracing. */
  readonly traceContext: string | null;
  /** The number of root tasks that this process claims with the start. */
  readonly claims: number;
  /** Whether to note that a process waits for the execution's end, as `ExecutionStore.await` does. */
  readonly hasWaiters: boolean;
}

/** The result of starting a batch. */
export interface StartReply {
  /** Ids of the created executions. `all` if none of them can have existed before. */
  readonly created: ReadonlySet<string> | 'all';
  /** Ids of created executions that wait for their turn. None of their tasks was claimed. Absent: none. */
  readonly waiting?: ReadonlySet<string>;
  /**
   * For each start that was skipped, the execution that began last under its key, or that has the id or the key of the start
   * already. Absent: none was skipped.
   */
  readonly instead?: ReadonlyMap<string, string>;
  /** Whether all definitions of the batch are stored. */
  readonly definitionsAreStored: boolean;
  /** The batch of the claimed root tasks. */
  readonly batch?: ClaimBatch | undefined;
}

export function isCreated({ created }: StartReply, id: string): boolean {
  return created === 'all' || created.has(id);
}

/** Starts executions. */
export interface StartStore {
  /**
   * Creates executions. Set `keyed` if items have idempotency keys, or if the batch is sent again: the reply then tells
   * which executions are new. Otherwise all are.
   */
  start(
    items: readonly StartItem[],
    lease: LeaseWrite,
    keyed: boolean,
    lockTimeoutMs?: number,
  ): Promise<StartReply>;
  /**
   * Creates executions inside the caller's transaction, with a notification at its commit. The reply tells which are new.
   *
   * @param lockTimeoutMs - how long to wait for a key that another transaction is inserting, unless the caller's
   *   transaction sets a lock_timeout
   */
  startIn(
    manager: UserTransaction,
    items: readonly StartItem[],
    lease: LeaseWrite,
    payload: string,
    lockTimeoutMs: number,
  ): Promise<StartReply>;
  /** By index: the id of the execution with this key. Undefined if no execution has it. */
  findByKeys(
    keys: readonly { readonly workflow: string; readonly key: string }[],
    manager?: UserTransaction,
  ): Promise<(string | undefined)[]>;
}
