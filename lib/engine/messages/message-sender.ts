import { DatabaseUnavailableError, TenantMovingError } from '../../errors/index.js';
import { Batcher } from '../../runtime/batcher.js';
import type { Clock } from '../../runtime/clock.js';
import type { FailureClassifier } from '../../runtime/failure.js';
import type {
  Message,
  MessageStore,
  SendReplies,
  SendReply,
  SignalMessage,
  UserTransaction,
} from '../../store/port/index.js';
import type { TaskWaker } from '../claims/task-waker.js';
import type { QueuedBytes } from '../starts/queued-bytes.js';
import {
  classifierOf,
  HELD_KEYS,
  keyLockTimeoutMs,
  weightOf,
  WRITE_LIMITS,
} from '../write-batches.js';
import type { MessageDelivery } from './message-delivery.js';
import { OpenTransactions } from './open-transactions.js';

/** Maximum number of messages in one statement. */
const MAX_MESSAGES = 300;
/** Maximum number of messages that wait for the database. Further ones fail at once, to bound the memory. */
const MAX_QUEUED = 20_000;

export interface MessageSenderParts {
  readonly clock: Clock;
  readonly tenant: string;
  readonly store: FailureClassifier & {
    readonly messages: Pick<MessageStore, 'sendMessages' | 'sendSignals' | 'sendMessageIn'>;
  };
  readonly waker: Pick<TaskWaker, 'send'>;
  /** Limits the bytes of what waits for the database, of all tenants on the login. */
  readonly queuedBytes: QueuedBytes;
  /** How long a message waits for the database, in milliseconds. */
  readonly timeoutMs: number;
  /** The payload of the notification at the commit of a caller's transaction. */
  readonly notification: string;
  readonly delivery: Pick<MessageDelivery, 'deliver' | 'look'>;
  /** The workflows of the running code that events of a name start. */
  readonly startedBy: (event: string) => readonly string[];
}

/**
 * Stores signals and events, many in a statement, and has them delivered after the commit. A signal whose task sleeps in a
 * wait for it needs no delivery: the statement that stores it gives it to the task.
 *
 * Messages with a caller's idempotency key have a batcher of their own: an open transaction may hold the key, and then only
 * the message with this key waits for it.
 */
export class MessageSender {
  private readonly signals: Batcher<SignalMessage, SendReply>;
  private readonly plain: Batcher<Message, SendReply>;
  private readonly keyed: Batcher<Message, SendReply>;
  private readonly transactions: OpenTransactions;

  constructor(private readonly parts: MessageSenderParts) {
    this.signals = this.batcherFor((signals, resent) => this.storeSignals(signals, resent));
    this.plain = this.batcherFor((messages, resent) => this.store(messages, resent));
    this.keyed = this.batcherFor(
      (messages, resent) => this.storeKeyed(messages, resent),
      HELD_KEYS,
    );
    this.transactions = new OpenTransactions(parts.clock, () => parts.delivery.look());
  }

  /**
   * Stores a message. It needs an idempotency key, because it is sent again if the reply is lost.
   *
   * @param isKeyed - whether the caller chose the key, so another transaction may hold it
   * @throws DatabaseUnavailableError if it could not be stored within the timeout, or if too many messages wait
   */
  async send(message: Message, isKeyed: boolean): Promise<SendReply> {
    // With an actor it is stored together with an event, by a statement that wakes no task.
    const isAttributed = message.kind === 'signal' && typeof message.actor === 'string';
    if (isKeyed || isAttributed) return this.add(this.keyed, message);
    return message.kind === 'signal'
      ? this.add(this.signals, message)
      : this.add(this.plain, message);
  }

  /** Stores a message in a caller's transaction. It is delivered after the commit. */
  async sendIn(transaction: UserTransaction, message: Message): Promise<SendReply> {
    const { store, notification, timeoutMs, clock } = this.parts;
    const began = clock.now();
    try {
      const { messages } = store;
      return await messages.sendMessageIn(transaction, message, notification, timeoutMs);
    } catch (error) {
      if (!store.classifyFailure(error).isLockTimeout) throw error;
      throw this.unavailable(message, error, { sent: false, waitedMs: clock.now() - began });
    } finally {
      // The notification may be lost, and a process without a control connection hears none.
      this.transactions.add(transaction);
    }
  }

  get isBusy(): boolean {
    return this.signals.size > 0 || this.plain.size > 0 || this.keyed.size > 0;
  }

  async whenIdle(): Promise<void> {
    await Promise.all([this.signals, this.plain, this.keyed].map((each) => each.whenIdle()));
  }

  close(): void {
    this.signals.close();
    this.plain.close();
    this.keyed.close();
    this.transactions.close();
  }

  private add<M extends Message>(batcher: Batcher<M, SendReply>, message: M): Promise<SendReply> {
    const { tenant, queuedBytes } = this.parts;
    if (batcher.size < MAX_QUEUED && queuedBytes.add(message.payload.length))
      return batcher.add(message);
    const mebibytes = Math.round(queuedBytes.bytes / 1024 ** 2);
    throw new DatabaseUnavailableError({
      tenant,
      waitedMs: 0,
      explanation:
        `Tenant ${JSON.stringify(tenant)}: ${batcher.size} signals and events of this process wait for the database, with ` +
        `${mebibytes} MiB of payloads and of contexts of starts, which is the limit. Await some of them before you send more.`,
    });
  }

  private batcherFor<M extends Message>(
    send: (messages: readonly M[], resent: boolean) => Promise<readonly SendReply[]>,
    locked?: typeof HELD_KEYS,
  ): Batcher<M, SendReply> {
    const { clock, store, timeoutMs, queuedBytes } = this.parts;
    return new Batcher({
      clock,
      maxItems: MAX_MESSAGES,
      ...WRITE_LIMITS,
      weight: ({ payload }) => weightOf(1, payload.length),
      send,
      ...(locked === undefined ? {} : { locked }),
      classify: classifierOf(store),
      giveUp: (message, error, state) =>
        state.waitedMs < timeoutMs ? undefined : this.unavailable(message, error, state),
      ended: ({ payload }) => queuedBytes.remove(payload.length),
    });
  }

  private async store(
    messages: readonly Message[],
    resent: boolean,
    lockTimeoutMs?: number,
  ): Promise<readonly SendReply[]> {
    const { store } = this.parts;
    const reply = await store.messages.sendMessages(messages, lockTimeoutMs);
    const started = messages.flatMap(({ kind, name }) =>
      kind === 'event' ? this.parts.startedBy(name) : [],
    );
    return this.stored(reply, resent, started);
  }

  private async storeSignals(
    signals: readonly SignalMessage[],
    resent: boolean,
  ): Promise<readonly SendReply[]> {
    const { store, waker } = this.parts;
    const reply = await waker.send(signals.length, (claims) =>
      store.messages.sendSignals(signals, claims),
    );
    return this.stored(reply, resent);
  }

  private stored(
    { replies, ids }: SendReplies,
    resent: boolean,
    started: readonly string[] = [],
  ): readonly SendReply[] {
    const { delivery } = this.parts;
    delivery.deliver(ids, started);
    // The ids of messages that the first send has stored are not known.
    if (resent) delivery.look();
    return replies;
  }

  /** In the order of the keys, so that two processes with the same keys don't deadlock. */
  private async storeKeyed(
    messages: readonly Message[],
    resent: boolean,
  ): Promise<readonly SendReply[]> {
    const order = [...messages.entries()].sort(([, a], [, b]) => (keyOf(a) < keyOf(b) ? -1 : 1));
    const sorted = order.map(([, message]) => message);
    const replies = await this.store(sorted, resent, keyLockTimeoutMs(sorted.length));
    const results: SendReply[] = [];
    for (const [at, [i]] of order.entries()) results[i] = replies[at] as SendReply;
    return results;
  }

  private unavailable(
    { kind, name, idempotencyKey }: Message,
    cause: unknown,
    { sent, waitedMs }: { readonly sent: boolean; readonly waitedMs: number },
  ): DatabaseUnavailableError | TenantMovingError {
    const { tenant, store } = this.parts;
    const failure = store.classifyFailure(cause);
    if (failure.move !== undefined && !sent)
      return new TenantMovingError({ ...failure.move, tenant, waitedMs }, { cause });
    const reached = failure.kind === 'conflict';
    const what = `The ${kind} ${JSON.stringify(name)} of tenant ${JSON.stringify(tenant)}`;
    const rounded = Math.round(waitedMs);
    const explanation = reached
      ? `${what} was not sent: for ${rounded} ms an open transaction held its idempotency key ` +
        `${JSON.stringify(idempotencyKey)}. Check pg_stat_activity for open transactions, and send it again after the commit.`
      : `${what} ${sent ? 'may or may not have been' : 'was not'} sent: the database has not answered for ${rounded} ms. ` +
        'Send it again with an idempotencyKey, so that it is stored once.';
    const facts = { tenant, waitedMs: rounded, reached, mayBeWritten: sent, explanation };
    return new DatabaseUnavailableError(facts, { cause });
  }
}

function keyOf(message: Message): string {
  const to =
    message.kind === 'event' ? message.key : 'id' in message.to ? message.to.id : message.to.key;
  return JSON.stringify([message.kind, message.name, to, message.idempotencyKey]);
}
