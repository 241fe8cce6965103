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
/** Longest wait for woken tasks to be claimed before further ones are woken, and between two looks, in milliseconds. */
const MAX_WAIT_MS = 100;
const LOOK_MS = 5;
/** Number of pauses after which the messages are left to the sweep. */
const MAX_TRIES = 12;

export interface MessageDeliveryParts {
  readonly clock: Clock;
  readonly tenant: string;
  readonly store: { readonly messages: Pick<MessageStore, 'deliver'> };
  readonly waker: Pick<TaskWaker, 'send'>;
  /** Whether woken tasks are known to wait for this process to claim them. */
  readonly hasBacklog: () => boolean;
  /** Called with the workflows that delivered events are to start. */
  readonly toStart: (workflows: readonly string[]) => void;
}

/**
 * Wakes the tasks that listen for stored messages, one statement at a time. A message that this process has just stored is
 * found by its id; those of transactions and of other processes by a look at all that are undelivered. So is the rest of a
 * message that more tasks listen for than one statement wakes.
 *
 * States: idle, at work, or pausing after a failure or a locked task. What is asked for while it works is done next. After
 * twelve tries in vain the messages are left to the sweep, which finds them again.
 */
export class MessageDelivery {
  private readonly logger = new Logger('Cloacina');
  private ids: string[] = [];
  private looks = false;
  /** Whether the last statement has left tasks to wake. */
  private hasMore = false;
  private wasByIds = false;
  private tries = 0;
  private work: Promise<void> | undefined;
  private readonly closing = new AbortController();

  constructor(private readonly parts: MessageDeliveryParts) {}

  /** Delivers stored messages. */
  deliver(ids: readonly string[]): void {
    if (ids.length === 0) return;
    this.ids.push(...ids);
    this.start();
  }

  /** Looks for messages that are stored and not delivered. */
  look(): void {
    this.looks = true;
    this.start();
  }

  get isBusy(): boolean {
    return this.work !== undefined;
  }

  async whenIdle(): Promise<void> {
    await this.work;
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
        const isDone = this.follow(await this.next());
        if (isDone) this.tries = 0;
        else await this.pause();
        if (this.hasMore && this.ids.length === 0) await this.untilClaimed();
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
  private async next(): Promise<Delivery> {
    const isTurnOfRest = this.hasMore && this.wasByIds;
    this.wasByIds = this.ids.length > 0 && !isTurnOfRest;
    if (this.wasByIds) {
      const ids = this.ids.splice(0, MAX_MESSAGES);
      return this.send(ids.length, ids);
    }
    this.looks = false;
    const delivery = await this.send(this.hasMore ? MAX_MESSAGES : MAX_LOOKED_FOR);
    this.hasMore = delivery.hasMore;
    if (delivery.messages === MAX_MESSAGES) this.looks = true;
    return delivery;
  }

  private send(tasks: number, ids?: readonly string[]): Promise<Delivery> {
    const { waker, store } = this.parts;
    return waker.send(tasks, (claims) => store.messages.deliver(MAX_MESSAGES, ids, claims));
  }

  private follow({ toStart, isPartial, hasMore }: Delivery): boolean {
    if (toStart.length > 0) this.parts.toStart(toStart);
    if (hasMore) this.hasMore = true;
    if (isPartial || hasMore) this.looks = true;
    // A locked task must not delay the others.
    return hasMore || !isPartial;
  }

  /**
   * Tasks are claimed in the order in which they became due. If all tasks of an event became due at once, whatever is started
   * a moment later would have to wait for all of them.
   */
  private async untilClaimed(): Promise<void> {
    const { clock, hasBacklog } = this.parts;
    for (let waited = 0; waited < MAX_WAIT_MS && hasBacklog(); waited += LOOK_MS) {
      await clock.sleep(LOOK_MS, this.closing.signal);
    }
  }

  private async pause(error?: unknown): Promise<void> {
    const { clock, tenant } = this.parts;
    if (++this.tries > MAX_TRIES) {
      const why = error === undefined ? 'their tasks stay locked' : toStoredError(error).message;
      this.logger.warn(
        `Tenant "${tenant}": some signals or events are stored but could not be delivered yet (${why}). ` +
          'The sweep delivers them.',
      );
      this.tries = 0;
      this.looks = false;
      this.hasMore = false;
      this.ids = [];
      return;
    }
    const ms = Math.min(FIRST_PAUSE_MS * 2 ** (this.tries - 1), MAX_PAUSE_MS);
    await clock.sleep(ms, this.closing.signal);
  }
}
