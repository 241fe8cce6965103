import { MemoryRole } from './memory-role.js';
import type {
  Delivery,
  ExpiredEvents,
  Message,
  MessageStore,
  MessageWait,
  SendReplies,
  SendReply,
  SignalMessage,
  SignalReplies,
  TakeReply,
  UserTransaction,
  WakeClaims,
} from '../../../store/port/index.js';
import * as deliveries from '../memory-delivery.js';
import * as messages from '../memory-messages.js';
import * as sends from '../memory-sends.js';
import { asTransaction } from '../memory-transaction.js';

/** Signals and events in memory. */
export class MemoryMessageStore extends MemoryRole implements MessageStore {
  sendMessages(sent: readonly Message[]): Promise<SendReplies> {
    return this.run((tables) => sends.sendMessages(tables, sent));
  }

  sendSignals(signals: readonly SignalMessage[], claims: WakeClaims): Promise<SignalReplies> {
    return this.run((tables) => sends.sendSignals(tables, signals, claims));
  }

  sendMessageIn(manager: UserTransaction, message: Message, payload: string): Promise<SendReply> {
    const transaction = asTransaction(manager);
    const committed = (): void => this.tables.notify([payload]);
    return this.run((tables) => sends.sendMessageIn(tables, transaction, message, committed));
  }

  deliver(limit: number, ids?: readonly string[], claims?: WakeClaims): Promise<Delivery> {
    return this.run((tables) => deliveries.deliver(tables, limit, ids, claims));
  }

  take(waits: readonly MessageWait[]): Promise<TakeReply[]> {
    return this.run((tables) => messages.take(tables, waits));
  }

  expireEvents(limit: number): Promise<ExpiredEvents> {
    return this.run((tables) => deliveries.expireEvents(tables, limit));
  }
}
