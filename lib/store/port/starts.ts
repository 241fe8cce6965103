import type { LeaseWrite } from './leases.js';
import type { UserTransaction } from './transactions.js';

/** The task rows that every execution of one definition begins with; indexed by task number. */
export interface StartPlan {
  readonly definitionId: string;
  readonly workflow: string;
  readonly timeoutMs: number | null;
  readonly leaves: number;
  readonly pendingDependencies: readonly number[];
  /** The place of a root among the roots; -1 for other tasks. */
  readonly rootOrdinals: readonly number[];
  readonly priorities: readonly number[];
}

export interface StartItem {
  readonly id: string;
  readonly plan: StartPlan;
  /** JSON text of the input context. */
  readonly input: string;
  readonly priority: number;
  readonly runAt: Date | null;
  readonly delayMs: number | null;
  readonly idempotencyKey: string | null;
  /** JSON text of an object of strings, or null for none. */
  readonly tags: string | null;
  /** How many of its roots this process takes at once. */
  readonly claims: number;
}

export interface StartReply {
  /** What was created now; `all` where nothing can have been there before. */
  readonly created: ReadonlySet<string> | 'all';
  /** Whether each of the definitions is stored. */
  readonly definitionsAreStored: boolean;
}

export function isCreated({ created }: StartReply, id: string): boolean {
  return created === 'all' || created.has(id);
}

/** Creates executions. */
export interface StartStore {
  /** Creates executions. `keyed`, or sent again: tells which were created now; otherwise all are. */
  start(
    items: readonly StartItem[],
    lease: LeaseWrite,
    keyed: boolean,
    lockTimeoutMs?: number,
  ): Promise<StartReply>;
  /**
   * The same inside the caller's transaction, with a notification at its commit.
   *
   * @param lockTimeoutMs - how long to wait for a key that another transaction holds, unless the caller's says
   */
  startIn(
    manager: UserTransaction,
    item: StartItem,
    lease: LeaseWrite,
    payload: string,
    lockTimeoutMs: number,
  ): Promise<StartReply>;
  /** The ids that hold these keys, by index; undefined where none does. */
  findByKeys(
    keys: readonly { readonly workflow: string; readonly key: string }[],
    manager?: UserTransaction,
  ): Promise<(string | undefined)[]>;
}
