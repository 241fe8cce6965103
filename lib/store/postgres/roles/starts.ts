import { PostgresRole } from './postgres-role.js';
import { plainArray } from '../statements/encoding.js';
import { findByKeptKeys, findByKeys } from '../statements/execution-rows.js';
import { startReplyOf, startStatement } from '../statements/start-executions.js';
import { rootClaimsOf } from '../statements/start-values.js';
import { CHANNEL, notify } from '../statements/wake-ups.js';
import { insertSlots } from '../insert-slots.js';
import {
  type LeaseWrite,
  type StartItem,
  type StartReply,
  type StartStore,
  type UserTransaction,
  isCreated,
} from '../../port/index.js';
import { withLockTimeout } from '../with-lock-timeout.js';

/** The number of a statement that claims nothing. */
const NO_BATCH = 0;

/** Whether the start has created the execution, and its root tasks may be claimed. */
function mayClaim(reply: StartReply, id: string): boolean {
  return isCreated(reply, id) && reply.waiting?.has(id) !== true;
}

/** Starts executions, on PostgreSQL. */
export class PostgresStartStore extends PostgresRole implements StartStore {
  async start(
    items: readonly StartItem[],
    lease: LeaseWrite,
    keyed: boolean,
    lockTimeoutMs?: number,
  ): Promise<StartReply> {
    await insertSlots(
      this.db,
      items.map(({ admission }) => admission?.key),
    );
    const batch = this.db.batches.open();
    const [statement, values] = startStatement(items, lease, batch.no, {
      keyed,
      lockTimeoutMs,
      keepsKeys: this.db.keepsKeys,
    });
    const reply = startReplyOf(await this.db.hot.run(statement, values), keyed);
    const claims = items.reduce(
      (sum, item) => sum + (mayClaim(reply, item.id) ? rootClaimsOf(item) : 0),
      0,
    );
    return { ...reply, batch: batch.stored(claims) };
  }

  async startIn(
    manager: UserTransaction,
    items: readonly StartItem[],
    lease: LeaseWrite,
    payload: string,
    lockTimeoutMs: number,
  ): Promise<StartReply> {
    const runner = await this.db.within(manager);
    const isKeyed = items.some(({ idempotencyKey }) => idempotencyKey !== null);
    const unleased = { claimant: lease.claimant, write: false };
    const [statement, values] = startStatement(items, unleased, NO_BATCH, {
      keyed: true,
      keepsKeys: this.db.keepsKeys,
      admission: 'waits',
    });
    const rows = await withLockTimeout(runner, isKeyed ? lockTimeoutMs : undefined, () =>
      runner.run(statement, values),
    );
    const reply = startReplyOf(rows, true);
    if (items.some(({ id }) => isCreated(reply, id))) {
      await runner.run(notify, [CHANNEL, plainArray([payload])]);
    }
    return reply;
  }

  async findByKeys(
    keys: readonly { readonly workflow: string; readonly key: string }[],
    manager?: UserTransaction,
  ): Promise<(string | undefined)[]> {
    const runner = manager === undefined ? this.db.hot : await this.db.within(manager);
    const rows = await runner.run(this.db.keepsKeys ? findByKeptKeys : findByKeys, [
      JSON.stringify(keys.map(({ workflow }) => workflow)),
      JSON.stringify(keys.map(({ key }) => key)),
    ]);
    const found = new Array<string | undefined>(keys.length).fill(undefined);
    for (const { index, id } of rows) found[index] = id;
    return found;
  }
}
