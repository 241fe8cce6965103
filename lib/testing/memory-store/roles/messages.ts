import { MemoryRole } from './memory-role.js';
import type {
  Delivery,
  ExpiredEvents,
  Message,
  MessageStore,
  MessageWait,
  SendReplies,
  SendReply,
  TakeReply,
  UserTransaction,
} from '../../../store/port/index.js';
import { deliver, expireEvents, sendMessageIn, sendMessages, take } from '../memory-messages.js';
import { asTransaction } from '../memory-transaction.js';

/** Signals and events in memory. */
export class MemoryMessageStore extends MemoryRole implements MessageStore {
  sendMessages(messages: readonly Message[]): Promise<SendReplies> {
    return this.run((tables) => sendMessages(tables, messages));
  }

  sendMessageIn(manager: UserTransaction, message: Message, payload: string): Promise<SendReply> {
    const transaction = asTransaction(manager);
    const committed = (): void => this.tables.notify([payload]);
    return this.run((tables) => sendMessageIn(tables, transaction, message, committed));
  }

  deliver(limit: number, ids?: readonly string[]): Promise<Delivery> {
    return this.run((tables) => deliver(tables, limit, ids));
  }

  take(waits: readonly MessageWait[]): Promise<TakeReply[]> {
    return this.run((tables) => take(tables, waits));
  }

  expireEvents(limit: number): Promise<ExpiredEvents> {
    return this.run((tables) => expireEvents(tables, limit));
  }
}
