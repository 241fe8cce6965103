import { Logger } from '@nestjs/common';
import { toStoredError } from '../../errors/index.js';
import type { Clock } from '../../runtime/clock.js';
import type { Delivery, MessageStore } from '../../store/port/index.js';
import type { TaskWaker } from '../claims/task-waker.js';

/**
 * Messages of one statement, and tasks that it wakes. One event may wake very many, and each statement holds the locks of its
 * tasks until its commit.
 */
const MAX_MESSAGES = 500;
/** Tasks for which a look at all messages reserves room. Most looks find a few messages, or none. */
const MAX_LOOKED_FOR = 50;
/** First and longest pause before messages are delivered whose listening task was locked, in milliseconds. */
const FIRST_PAUSE_MS = 5;
const MAX_PAUSE_MS = 1_000;
/** Longest wait for room before further tasks of a message are woken, and pause between two looks for it, in milliseconds. */
const MAX_WAIT_MS = 100;
const LOOK_MS = 5;
/** Number of pauses after which the messages are left to the sweep. */
const MAX_TRIES = 12;

export interface MessageDeliveryParts {
  readonly clock: Clock;
  readonly tenant: string;
  readonly store: { readonly messages: Pick<MessageStore, 'deliver'> };
  readonly waker: Pick<TaskWaker, 'send'>;
  /** Whether this process would claim more tasks. */
  readonly hasRoom: () => boolean;
  /** Called with the workflows that delivered events are to start. */
  readonly toStart: (workflows: readonly string[]) => void;
  /** Called with delivered events that have started less than was expected. */
  readonly missed: (eventIds: readonly string[]) => Promise<void>;
}

/**
 * Wakes the tasks that listen for stored messages, one statement at a time. A message that this process has just stored is
 * found by its id; those of transactions and of other processes by a look at all that are undelivered.
 *
 * States: idle, at work, or pausing after a failure. What is asked for while it works is done next. Messages whose task is
 * locked are looked for again after a pause of their own, so they delay no others. After twelve failed tries the messages
 * are left to the sweep, which finds them again.
 */
export class MessageDelivery {
  private readonly logger = new Logger('Cloacina');
  private ids: string[] = [];
  /** The workflows that messages are expected to start, by id, or others that were sent with them. */
  private readonly expected = new Map<string, readonly string[]>();
  private looks = false;
  private failures = 0;
  /** Whether the last statement has left tasks to wake. */
  private hasMore = false;
  private wasByIds = false;
  /** Whether this process has claimed all tasks that the last part of a message has woken. */
  private claimsAll = true;
  private work: Promise<void> | undefined;
  /** The pause before the next look for messages whose task is locked, and the number of such looks. */
  private retrying: Promise<void> | undefined;
  private retries = 0;
  private readonly closing = new AbortController();

  constructor(private readonly parts: MessageDeliveryParts) {}

  /**
   * Delivers stored messages.
   *
   * @param expected - the workflows that some of them are to start, as far as the sender knows
   */
  deliver(ids: readonly string[], expected: readonly string[] = []): void {
    if (ids.length === 0) return;
    this.ids.push(...ids);
    if (expected.length > 0) for (const id of ids) this.expected.set(id, expected);
    this.start();
  }

  /** Looks for messages that are stored and not delivered. */
  look(): void {
    this.looks = true;
    this.start();
  }

  get isBusy(): boolean {
    return this.work !== undefined || this.retrying !== undefined;
  }

  async whenIdle(): Promise<void> {
    while (this.isBusy) await Promise.all([this.work, this.retrying]);
  }

  close(): void {
    this.closing.abort();
  }

  private start(): void {
    if (this.closing.signal.aborted) return;
    this.work ??= this.run().finally(() => (this.work = undefined));
  }

  private async run(): Promise<void> {
    while ((this.ids.length > 0 || this.looks) && !this.closing.signal.aborted) {
      try {
        await this.next();
        this.failures = 0;
        if (this.hasMore && this.ids.length === 0) await this.untilRoom();
      } catch (error) {
        this.looks = true;
        await this.pause(error);
      }
    }
  }

  /**
   * The messages with known ids come first: their senders are here. But they take turns with the rest of a message that wakes
   * many tasks, which is found by a look.
   */
  private async next(): Promise<void> {
    const isTurnOfRest = this.hasMore && this.wasByIds;
    this.wasByIds = this.ids.length > 0 && !isTurnOfRest;
    if (this.wasByIds) await this.deliverNext();
    else await this.lookOnce();
  }

  private async deliverNext(): Promise<void> {
    const ids = this.ids.splice(0, MAX_MESSAGES);
    this.claimsAll = true;
    const limit = Math.max(ids.length, MAX_LOOKED_FOR);
    const expected = this.takeExpected(ids);
    const { isPartial, hasMore, toStart } = await this.send(ids.length, limit, ids);
    if (expected.some((workflow) => !toStart.includes(workflow))) await this.parts.missed(ids);
    if (hasMore) this.hasMore = this.looks = true;
    else if (isPartial) this.retryLater();
  }

  private takeExpected(ids: readonly string[]): readonly string[] {
    if (this.expected.size === 0) return [];
    const expected = new Set(ids.flatMap((id) => this.expected.get(id) ?? []));
    for (const id of ids) this.expected.delete(id);
    return [...expected];
  }

  private async lookOnce(): Promise<void> {
    this.looks = false;
    const { isPartial, hasMore, messages, due } = await (this.hasMore
      ? this.send(MAX_MESSAGES, undefined)
      : this.send(MAX_LOOKED_FOR, MAX_MESSAGES));
    this.hasMore = hasMore;
    this.claimsAll = due === 0;
    if (hasMore) this.looks = true;
    else if (isPartial) this.retryLater();
    else this.retries = 0;
    // Messages that are left may be all that the next look would read.
    if (messages === MAX_MESSAGES && !isPartial) this.looks = true;
  }

  /** @param limit - of the messages, and of the tasks to wake; undefined: as many tasks as this process can claim, if any */
  private async send(
    tasks: number,
    limit: number | undefined,
    ids?: readonly string[],
  ): Promise<Delivery> {
    const { waker, store, toStart } = this.parts;
    const delivery = await waker.send(tasks, (claims) => {
      const room = this.claimsAll && claims.room > 0 ? claims.room : MAX_MESSAGES;
      return store.messages.deliver(limit ?? room, ids, claims);
    });
    if (delivery.toStart.length > 0) toStart(delivery.toStart);
    return delivery;
  }

  /**
   * A task that this process claims with its wake-up begins without another statement. And tasks are claimed in the order in
   * which they became due: if all tasks of an event became due at once, whatever is started a moment later would wait for all
   * of them.
   */
  private async untilRoom(): Promise<void> {
    const { clock, hasRoom } = this.parts;
    for (let waited = 0; waited < MAX_WAIT_MS && !hasRoom(); waited += LOOK_MS) {
      await clock.sleep(LOOK_MS, this.closing.signal);
    }
  }

  /** Looks again after a pause for messages whose task is locked. Looks that come before count too. */
  private retryLater(): void {
    if (this.retrying !== undefined) return;
    if (this.retries === MAX_TRIES) {
      this.retries = 0;
      this.reportLeft('their tasks stay locked');
      return;
    }
    this.retrying = this.sleep(this.retries++).then(() => {
      this.retrying = undefined;
      this.look();
    });
  }

  private async pause(error: unknown): Promise<void> {
    if (this.failures === MAX_TRIES) {
      this.failures = 0;
      this.looks = false;
      this.hasMore = false;
      this.ids = [];
      this.expected.clear();
      this.reportLeft(toStoredError(error).message);
      return;
    }
    await this.sleep(this.failures++);
  }

  private sleep(tries: number): Promise<void> {
    const ms = Math.min(FIRST_PAUSE_MS * 2 ** tries, MAX_PAUSE_MS);
    return this.parts.clock.sleep(ms, this.closing.signal);
  }

  private reportLeft(why: string): void {
    this.logger.warn(
      `Tenant "${this.parts.tenant}": some signals or events are stored but could not be delivered yet (${why}). ` +
        'The sweep delivers them.',
    );
  }
}
