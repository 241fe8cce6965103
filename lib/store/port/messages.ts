import type { ClaimKey, WakeClaims, Woken } from './claims.js';
import type { UserTransaction } from './transactions.js';

/** Whom a signal is for: an execution by its id, or by its workflow and idempotency key. */
export type SignalTo =
  { readonly id: string } | { readonly workflow: string; readonly key: string };

interface MessageContent {
  readonly name: string;
  /** JSON text. */
  readonly payload: string;
  /**
   * A message is stored once for each key: of a signal per execution and name, of an event per name and event key. A message
   * outside a caller's transaction always has one, because it may be sent again after a lost reply.
   */
  readonly idempotencyKey: string | null;
}

export interface SignalMessage extends MessageContent {
  readonly kind: 'signal';
  readonly to: SignalTo;
  /** Who sends it, for the history of the execution. Absent or null: no event is stored. */
  readonly actor?: string | null;
}

export interface EventMessage extends MessageContent {
  readonly kind: 'event';
  readonly key: string;
  /** How long it is kept, in milliseconds. */
  readonly keepForMs: number;
}

export type Message = SignalMessage | EventMessage;

/** What became of a message. */
export interface SendReply {
  /** Whether it is stored, by this call or by an earlier one with the same idempotency key. */
  readonly stored: boolean;
  /** The execution that the signal is for. Null for an event, and if there is none. */
  readonly executionId: string | null;
  /** The execution's status. A signal is not stored for one that has ended. */
  readonly status: string | null;
}

export interface SendReplies {
  /** By index of the messages. */
  readonly replies: readonly SendReply[];
  /** The ids of the messages that are new, to be delivered. */
  readonly ids: readonly string[];
}

/** The tasks that were given a signal are woken, and its step of a claimed one is Done. */
export interface SignalReplies extends SendReplies, Woken {}

/** The result of delivering some messages. */
export interface Delivery extends Woken {
  /** Number of messages that were found. As many as the limit: there may be more. */
  readonly messages: number;
  /** The names of the workflows that these events are to start. */
  readonly toStart: readonly string[];
  /** Whether some messages are left, because another statement had locked a task that listens. */
  readonly isPartial: boolean;
  /** Whether more tasks listen for the messages than the limit allowed to wake. The next delivery continues behind them. */
  readonly hasMore: boolean;
}

/** Maximum size of the payload of an event that a delivery gives to tasks, in stored bytes. Others are looked for. */
export const MAX_GIVEN_BYTES = 2_000;

/** How long an event is kept on at a time for waits that have still to take it, in milliseconds. */
export const EVENT_GRACE_MS = 60_000;

/** Events whose time was over. */
export interface ExpiredEvents {
  /** Their number. Most were deleted; those that a wait has still to take are kept for {@link EVENT_GRACE_MS} more. */
  readonly events: number;
  /** The workflows that one of them was to start and had not, once for each. */
  readonly unstarted: readonly string[];
}

/** A message that a wait accepts. */
export interface Listen {
  /** Names it in the result of a wait that accepts several. Null: the result is the payload. */
  readonly label: string | null;
  readonly name: string;
  /** The event's key. Null: it is a signal. */
  readonly key: string | null;
  /** How old an event may be when the wait begins, in milliseconds. Null: no older than the execution. */
  readonly lookbackMs: number | null;
}

/** An open wait that looks for its message. */
export interface MessageWait extends ClaimKey {
  /** The stored name of the wait's checkpoint. */
  readonly step: string;
  readonly listens: readonly Listen[];
}

/**
 * What a look found:
 * - `nothing`: no message. Nothing was locked or changed.
 * - `taken`: a message. It is consumed, and the checkpoint is Done with `result`.
 * - `contended`: another wait took the message at the same time. Look again: there may be another one.
 * - `over`: the checkpoint is no longer open. An earlier send of the same look has ended it.
 * - `refused`: the claim is no longer held.
 */
export type TakeReply =
  | { readonly kind: 'taken'; /** JSON text. */ readonly result: string }
  | { readonly kind: 'nothing' | 'contended' | 'over' | 'refused' };

/** The checkpoint of one message that a wait for several listens for. Its name cannot be that of another checkpoint. */
export function listenerName(step: string, label: string): string {
  return `${step}##${label}`;
}

/**
 * Signals and events.
 *
 * A sender and a waiting task never lock each other's rows. The task stores its open checkpoint, commits, and then looks
 * for messages. The sender stores the message, commits, and then looks for open checkpoints (`deliver`). Each writes before
 * it reads, so at least one of the two sees the other.
 */
export interface MessageStore {
  /**
   * Stores messages. They wake no task yet: {@link MessageStore.deliver} does, in a transaction of its own.
   *
   * @param lockTimeoutMs - how long to wait for an idempotency key that another transaction is inserting
   */
  sendMessages(messages: readonly Message[], lockTimeoutMs?: number): Promise<SendReplies>;
  /**
   * Stores signals, and gives each to the task that sleeps in a wait for it, if there is one: the wait is over and the task
   * is woken, all in one statement. Other signals are stored only, as by {@link MessageStore.sendMessages}: the reply has
   * their ids. Their idempotency keys are those of no other message.
   *
   * A signal is given only to a task with no other open wait, and not while an older one is in its mailbox. The rest is that
   * of the delivery, which looks after the commit: a task that goes to sleep at this moment is not seen here.
   */
  sendSignals(signals: readonly SignalMessage[], claims: WakeClaims): Promise<SignalReplies>;
  /**
   * Stores a message in the caller's transaction, with a notification at its commit. It touches no row of a task, because
   * the transaction may stay open.
   *
   * @param lockTimeoutMs - as for `startIn`
   */
  sendMessageIn(
    manager: UserTransaction,
    message: Message,
    payload: string,
    lockTimeoutMs: number,
  ): Promise<SendReply>;
  /**
   * Wakes the tasks that listen for messages that have not been delivered. Never waits for a lock.
   *
   * An event is given to a task that sleeps in a wait for it, and in no other: the wait is over. The others are only woken, and
   * look for the message.
   *
   * @param limit - maximum number of messages, and of woken tasks
   * @param ids - only these messages. Default: of all, the oldest first
   * @param claims - which of the woken tasks to claim. Default: none
   */
  deliver(limit: number, ids?: readonly string[], claims?: WakeClaims): Promise<Delivery>;
  /** Looks for the oldest message of each wait, and takes it. By index. */
  take(waits: readonly MessageWait[]): Promise<TakeReply[]>;
  /**
   * Deletes up to `limit` events that are kept no longer, with the starts of executions that they still had to make.
   *
   * An event that came while a wait for it was open is kept until the wait has taken it: its task may have to wait for a slot
   * for longer than the event is kept.
   */
  expireEvents(limit: number): Promise<ExpiredEvents>;
}
