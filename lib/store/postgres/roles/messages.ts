import { PostgresRole } from './postgres-role.js';
import {
  deliverMessages,
  deliverSentMessages,
  deliveryOf,
} from '../statements/deliver-messages.js';
import { plainArray } from '../statements/encoding.js';
import { expireEvents } from '../statements/expire-events.js';
import {
  sendMessageIn,
  sendMessages,
  sendMessagesWithin,
  sendRepliesOf,
  sendValues,
} from '../statements/send-messages.js';
import { boundLockWait, unboundLockWait } from '../statements/start-executions.js';
import { takeMessages, takeRepliesOf, takeValues } from '../statements/take-messages.js';
import { CHANNEL, notify } from '../statements/wake-ups.js';
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
} from '../../port/index.js';

/** Signals and events on PostgreSQL. It only forwards; the statements are documented next to their texts. */
export class PostgresMessageStore extends PostgresRole implements MessageStore {
  async sendMessages(messages: readonly Message[], lockTimeoutMs?: number): Promise<SendReplies> {
    this.db.tables.messages.noted();
    const values = sendValues(messages);
    const rows =
      lockTimeoutMs === undefined
        ? await this.db.hot.run(sendMessages, values)
        : await this.db.hot.run(sendMessagesWithin, [...values, lockTimeoutMs]);
    return sendRepliesOf(rows, messages.length);
  }

  async sendMessageIn(
    manager: UserTransaction,
    message: Message,
    payload: string,
    lockTimeoutMs: number,
  ): Promise<SendReply> {
    this.db.tables.messages.noted();
    const runner = await this.db.within(manager);
    const bounded =
      message.idempotencyKey !== null &&
      (await runner.run(boundLockWait, [Math.max(1, lockTimeoutMs)])).length === 1;
    const rows = await runner.run(sendMessageIn, sendValues([message]));
    if (bounded) await runner.run(unboundLockWait, []);
    const { replies, ids } = sendRepliesOf(rows, 1);
    if (ids.length > 0) await runner.run(notify, [CHANNEL, plainArray([payload])]);
    return replies[0] ?? { stored: false, executionId: null, status: null };
  }

  async deliver(limit: number, ids?: readonly string[]): Promise<Delivery> {
    this.db.tables.messages.noted();
    const { hot } = this.db;
    return deliveryOf(
      ids === undefined
        ? await hot.run(deliverMessages, [limit])
        : await hot.run(deliverSentMessages, [limit, plainArray(ids)]),
    );
  }

  async take(waits: readonly MessageWait[]): Promise<TakeReply[]> {
    this.db.tables.messages.noted();
    return takeRepliesOf(await this.db.hot.run(takeMessages, takeValues(waits)), waits.length);
  }

  async expireEvents(limit: number): Promise<ExpiredEvents> {
    const [expired] = await this.db.cold.run(expireEvents, [limit]);
    return expired ?? { events: 0, unstarted: [] };
  }
}
