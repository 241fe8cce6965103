import { PostgresRole } from './postgres-role.js';
import type { OpenBatch } from '../claim-batches.js';
import {
  deliverMessages,
  deliverSentMessages,
  deliveryOf,
  deliveryValues,
} from '../statements/deliver-messages.js';
import { plainArray } from '../statements/encoding.js';
import { expireEvents } from '../statements/expire-events.js';
import {
  attributedValues,
  isAttributed,
  sendAttributedIn,
  sendAttributedWithin,
  sendMessageIn,
  sendMessages,
  sendMessagesWithin,
  sendRepliesOf,
  sendValues,
} from '../statements/send-messages.js';
import { sendSignals, signalRepliesOf, signalValues } from '../statements/send-signals.js';
import { takeMessages, takeRepliesOf, takeValues } from '../statements/take-messages.js';
import { CHANNEL, notify } from '../statements/wake-ups.js';
import { wakeClaimValues } from '../statements/wake-and-claim.js';
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
  Woken,
} from '../../port/index.js';
import { withLockTimeout } from '../with-lock-timeout.js';

/** Signals and events on PostgreSQL. It only forwards; the statements are documented next to their texts. */
export class PostgresMessageStore extends PostgresRole implements MessageStore {
  async sendMessages(messages: readonly Message[], lockTimeoutMs?: number): Promise<SendReplies> {
    this.db.tables.messages.noted();
    if (lockTimeoutMs !== undefined && messages.some(isAttributed)) {
      const attributed = [...attributedValues(messages), lockTimeoutMs];
      const sent = await this.db.hot.run(sendAttributedWithin, attributed);
      return sendRepliesOf(sent, messages.length);
    }
    const values = sendValues(messages);
    const rows =
      lockTimeoutMs === undefined
        ? await this.db.hot.run(sendMessages, values)
        : await this.db.hot.run(sendMessagesWithin, [...values, lockTimeoutMs]);
    return sendRepliesOf(rows, messages.length);
  }

  async sendSignals(signals: readonly SignalMessage[], claims: WakeClaims): Promise<SignalReplies> {
    const { hot, batches, tables } = this.db;
    tables.messages.noted();
    const batch = batches.open();
    const values = [...wakeClaimValues(claims, batch.no), ...signalValues(signals)];
    return withBatch(signalRepliesOf(await hot.run(sendSignals, values), signals), batch);
  }

  async sendMessageIn(
    manager: UserTransaction,
    message: Message,
    payload: string,
    lockTimeoutMs: number,
  ): Promise<SendReply> {
    this.db.tables.messages.noted();
    const runner = await this.db.within(manager);
    const isKeyed = message.idempotencyKey !== null;
    const rows = await withLockTimeout(runner, isKeyed ? lockTimeoutMs : undefined, () =>
      isAttributed(message)
        ? runner.run(sendAttributedIn, attributedValues([message]))
        : runner.run(sendMessageIn, sendValues([message])),
    );
    const { replies, ids } = sendRepliesOf(rows, 1);
    if (ids.length > 0) await runner.run(notify, [CHANNEL, plainArray([payload])]);
    return replies[0] ?? { stored: false, executionId: null, status: null };
  }

  async deliver(limit: number, ids?: readonly string[], claims?: WakeClaims): Promise<Delivery> {
    const { hot, batches, tables } = this.db;
    tables.messages.noted();
    const batch = batches.open();
    const statement = ids === undefined ? deliverMessages : deliverSentMessages;
    const values = [...wakeClaimValues(claims, batch.no), ...deliveryValues(limit, ids)];
    return withBatch(deliveryOf(await hot.run(statement, values)), batch);
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

function withBatch<T extends Woken>(reply: T, open: OpenBatch): T {
  const { claims } = reply;
  const batch = open.stored(claims.length);
  return { ...reply, claims: claims.map((claim) => ({ ...claim, batch })) };
}
