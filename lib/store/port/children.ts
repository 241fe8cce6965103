import type { ClaimBatch, ClaimKey, WakeClaims } from './claims.js';
import type { LeaseWrite } from './leases.js';
import type { StartItem } from './starts.js';
import type { WokenTask } from './steps.js';
import type { UserTransaction } from './transactions.js';

/** Bits of `unsettled`: what the end of an execution has still to bring about. */
export const TELL_PARENTS = 1;
export const END_CHILDREN = 2;
/** 4 is kept for subscribers. */
export const ADMIT_NEXT = 8;

/** Maximum number of executions above an execution. */
export const MAX_DEPTH = 50;

/** The name under which the open step of a task listens for the end of a child. The key is the child's id. */
export const CHILD_EVENT = '#child';

/** What happens to a child that has not ended when its parent is Cancelled or Failed. */
export type OnParentEnd = 'cancel' | 'abandon';

/** The step of a claimed task that starts an execution. */
export interface ParentStep extends ClaimKey {
  /** The stored name of the step. */
  readonly step: string;
  /** Whether the task waits for the child. Otherwise the step is over when the child is started. */
  readonly waits: boolean;
}

/** A child to start. */
export interface ChildStart {
  readonly item: StartItem;
  readonly parent: ParentStep;
  readonly onParentEnd: OnParentEnd;
  /** Whether the child gets the tags of its parent in place of its own. */
  readonly inheritsTags: boolean;
  /** Whether the child gets the priority of its parent. */
  readonly inheritsPriority: boolean;
}

/**
 * - `started`: the execution exists now.
 * - `exists`: the step exists already, or with a key an execution that has it. Nothing was written.
 * - `tooDeep`: there are {@link MAX_DEPTH} executions above the parent. Nothing was written.
 * - `refused`: the parent's claim was lost. Nothing was written.
 */
export type ChildFate = 'started' | 'exists' | 'tooDeep' | 'refused';

export interface StartedChild {
  readonly fate: ChildFate;
  /** JSON text of the child's tags, or null for none. */
  readonly tags: string | null;
}

export interface ChildrenReply {
  /** By index. */
  readonly children: readonly StartedChild[];
  /** Whether all definitions of the batch are stored. */
  readonly definitionsAreStored: boolean;
  /** The batch of the claimed root tasks. */
  readonly batch?: ClaimBatch | undefined;
}

/** The step of a task that waits for, or names, an execution that exists already. */
export interface ChildAttachment {
  readonly parent: ParentStep;
  readonly childId: string;
}

/** The result of an ended execution for the steps that wait for it. */
export interface StoredChildEnd {
  readonly status: 'Completed' | 'Failed' | 'Cancelled' | 'Missing';
  readonly workflow?: string;
  /** The execution's own error, else that of its first unhandled failure. */
  readonly error?: unknown;
  readonly reason?: string | null;
}

/** The end of an execution as the run of a waiting task reads it. */
export interface ChildEnd {
  readonly id: string;
  readonly status: string;
  readonly generation: number;
  readonly parentId: string | null;
}

/** An execution whose end has something left to bring about. */
export interface UnsettledEnd {
  readonly id: string;
  /** {@link TELL_PARENTS}, {@link END_CHILDREN}. */
  readonly bits: number;
}

/** A child that was cancelled because its parent ended. */
export interface CancelledChild {
  readonly id: string;
  readonly workflow: string;
  readonly hasWaiters: boolean;
  /** Whether tasks were Running, so their handlers must stop. */
  readonly wasRunning: boolean;
  readonly unsettled: number;
}

/** A page of children that were to be cancelled. */
export interface ChildrenPage {
  /** The last child of the page. Null if there was none left behind the previous page. */
  readonly last: string | null;
  /** Number of children that were not cancelled, because another session has locked one of their rows. */
  readonly skipped: number;
  readonly cancelled: readonly CancelledChild[];
}

/** An execution in a tree. */
export interface TreeRow {
  readonly id: string;
  readonly parentId: string | null;
  /** The stored name of the parent's step. */
  readonly step: string | null;
  readonly workflow: string;
  readonly status: string;
  readonly depth: number;
}

/** Executions that are started by tasks of other executions. */
export interface ChildStore {
  /**
   * Starts children, each with its parent's step, if the parent's claim is still held. A step that exists starts nothing,
   * so a repeated run and a statement that is sent again start no second child. The items must be sorted by
   * {@link byLockOrder} of their parents, and have no idempotency keys.
   */
  startChildren(children: readonly ChildStart[], lease: LeaseWrite): Promise<ChildrenReply>;
  /**
   * Starts a child with an idempotency key, without its step: the caller looks up which execution has the key, and then
   * attaches the step to it. A repeated run finds the same execution by its key.
   */
  startKeyedChild(
    child: ChildStart,
    lease: LeaseWrite,
    lockTimeoutMs: number,
  ): Promise<ChildrenReply>;
  /**
   * Starts a child and its step inside the transaction of the parent's task. The outcome of the task, which is the last
   * statement of the transaction, is the fence. With an idempotency key that an execution has, nothing is written.
   *
   * @param lockTimeoutMs - as for `startIn`
   */
  startChildIn(
    manager: UserTransaction,
    child: ChildStart,
    lease: LeaseWrite,
    payload: string,
    lockTimeoutMs: number,
  ): Promise<ChildrenReply>;
  /**
   * Writes steps that name executions, if the claims are still held. The execution's end then also wakes the task that
   * waits. The caller looks after that whether the execution has ended already. By index: whether the claim was held. The
   * items must be sorted by {@link byLockOrder} of their parents.
   */
  attachChildren(attachments: readonly ChildAttachment[]): Promise<boolean[]>;
  /** Notes that the execution has children, so that its end brings about theirs. */
  markParent(id: string): Promise<void>;
  /**
   * The executions that wait for an execution, or for one that does: itself, its parents, and those with a task that is
   * attached to one of them.
   */
  heldUpBy(id: string): Promise<string[]>;
  /** The ends of executions. Missing executions have no entry. */
  childEnds(ids: readonly string[]): Promise<ChildEnd[]>;
  /**
   * Tells the tasks that wait for executions that these have ended: ends their open steps, and wakes them. A task that
   * waits for several children is woken with the last one.
   *
   * @param force - also those whose bit is cleared: another process may have told the tasks that waited at that time
   * @param claims - which of the woken tasks to claim. Default: none
   * @returns the tasks that were woken
   */
  tellParents(ids: readonly string[], force?: boolean, claims?: WakeClaims): Promise<WokenTask[]>;
  /** Ends the open steps that wait for executions that no longer exist, and wakes their tasks. */
  tellMissing(limit: number): Promise<WokenTask[]>;
  /**
   * Cancels a page of the children of an execution that is Failed or Cancelled, except those that are to be abandoned.
   *
   * @param after - the last child of the previous page
   */
  endChildren(id: string, reason: string, after: string | null): Promise<ChildrenPage>;
  /**
   * Cancels a page of the children of the Cancelled items of a map, except those that are to be abandoned, if the claim of
   * the map is held.
   *
   * @param after - the last child of the previous page
   */
  endItemChildren(map: ClaimKey, reason: string, after: string | null): Promise<ChildrenPage>;
  /** Clears the bit of executions whose children are ended, or were not to be. */
  childrenEnded(ids: readonly string[]): Promise<void>;
  /**
   * Ends with something left to bring about, by id, at most `limit`.
   *
   * @param after - the last one of the previous page
   */
  unsettled(limit: number, after: string | null): Promise<UnsettledEnd[]>;
  /**
   * An execution and the executions under it, parents first. At most `limit`.
   *
   * @param statuses - only executions with one of these. Default: all
   */
  tree(id: string, limit: number, statuses?: readonly string[]): Promise<TreeRow[]>;
}
