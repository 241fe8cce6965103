import type {
  Delivery,
  Message,
  MessageStore,
  MessageWait,
  SendReplies,
  SendReply,
  TakeReply,
  UserTransaction,
} from '../../store/port/index.js';
import type { MemoryDatabase } from './memory-database.js';
import { deliver, expireEvents, sendMessageIn, sendMessages, take } from './memory-messages.js';
import type { MemoryTables } from './memory-tables.js';
import { asTransaction } from './memory-transaction.js';

/** Signals and events in memory. */
export class MemoryMessageStore implements MessageStore {
  constructor(
    private readonly database: MemoryDatabase,
    private readonly tables: MemoryTables,
  ) {}

  sendMessages(messages: readonly Message[]): Promise<SendReplies> {
    return this.run((tables) => sendMessages(tables, messages));
  }

  sendMessageIn(manager: UserTransaction, message: Message, payload: string): Promise<SendReply> {
    const transaction = asTransaction(manager);
    const committed = (): void => this.database.notify([payload]);
    return this.run((tables) => sendMessageIn(tables, transaction, message, committed));
  }

  deliver(limit: number, ids?: readonly string[]): Promise<Delivery> {
    return this.run((tables) => deliver(tables, limit, ids));
  }

  take(waits: readonly MessageWait[]): Promise<TakeReply[]> {
    return this.run((tables) => take(tables, waits));
  }

  expireEvents(limit: number): Promise<number> {
    return this.run((tables) => expireEvents(tables, limit));
  }

  private run<T>(statement: (tables: MemoryTables) => T): Promise<T> {
    return this.tables.run(() => statement(this.tables));
  }
}
