import { PostgresRole } from './postgres-role.js';
import { attachChildren, attachedOf, attachmentValues } from '../statements/attach-children.js';
import {
  readChildEnds,
  readHeldUp,
  readTree,
  readTreeIn,
  readUnsettled,
} from '../statements/child-reads.js';
import { childrenEnded } from '../statements/children-ended.js';
import { plainArray } from '../statements/encoding.js';
import {
  childrenPageOf,
  endChildren,
  endItemChildren,
  endItemChildrenValues,
} from '../statements/end-children.js';
import { markParent } from '../statements/mark-parent.js';
import {
  childrenReplyOf,
  childrenStatement,
  startChildInTransaction,
  startChildren,
  startKeyedChild,
  startKeyedChildInTransaction,
} from '../statements/start-children.js';
import { rootClaimsOf } from '../statements/start-values.js';
import type { OpenBatch } from '../claim-batches.js';
import { tellMissing, tellParents, toldOf } from '../statements/tell-parents.js';
import { NO_CLAIMS, wakeClaimValues } from '../statements/wake-and-claim.js';
import { CHANNEL, notify } from '../statements/wake-ups.js';
import type {
  ChildAttachment,
  ChildEnd,
  ChildrenPage,
  ChildrenReply,
  ChildStart,
  ChildStore,
  ClaimKey,
  LeaseWrite,
  TreeRow,
  UnsettledEnd,
  UserTransaction,
  WakeClaims,
  WokenTask,
} from '../../port/index.js';
import { withLockTimeout } from '../with-lock-timeout.js';

/** Executions that tasks of other executions start, on PostgreSQL. */
export class PostgresChildStore extends PostgresRole implements ChildStore {
  async startChildren(children: readonly ChildStart[], lease: LeaseWrite): Promise<ChildrenReply> {
    const batch = this.db.batches.open();
    const rows = await this.db.hot.run(
      ...childrenStatement(startChildren, children, lease, batch.no),
    );
    return withBatch(childrenReplyOf(rows, children.length), children, batch);
  }

  async startKeyedChild(
    child: ChildStart,
    lease: LeaseWrite,
    lockTimeoutMs: number,
  ): Promise<ChildrenReply> {
    const batch = this.db.batches.open();
    const rows = await this.db.hot.run(
      ...childrenStatement(startKeyedChild, [child], lease, batch.no, lockTimeoutMs),
    );
    const reply = childrenReplyOf(rows, 1);
    return withBatch(reply, [child], batch);
  }

  async startChildIn(
    manager: UserTransaction,
    child: ChildStart,
    lease: LeaseWrite,
    payload: string,
    lockTimeoutMs: number,
  ): Promise<ChildrenReply> {
    const runner = await this.db.within(manager);
    const isKeyed = child.item.idempotencyKey !== null;
    const { no } = this.db.batches.open();
    const started = childrenStatement(
      isKeyed ? startKeyedChildInTransaction : startChildInTransaction,
      [child],
      lease,
      no,
    );
    const rows = await withLockTimeout(runner, isKeyed ? lockTimeoutMs : undefined, () =>
      runner.run(...started),
    );
    const reply = childrenReplyOf(rows, 1);
    if (reply.children[0]?.fate === 'started') {
      await runner.run(notify, [CHANNEL, plainArray([payload])]);
    }
    return reply;
  }

  async attachChildren(attachments: readonly ChildAttachment[]): Promise<boolean[]> {
    const rows = await this.db.hot.run(attachChildren, attachmentValues(attachments));
    return attachedOf(rows, attachments.length);
  }

  async markParent(id: string): Promise<void> {
    await this.db.hot.run(markParent, [id]);
  }

  async heldUpBy(id: string): Promise<string[]> {
    return (await this.db.hot.run(readHeldUp, [id])).map((row) => row.id);
  }

  async childEnds(ids: readonly string[]): Promise<ChildEnd[]> {
    return this.db.hot.run(readChildEnds, [plainArray(ids)]);
  }

  async tellParents(
    ids: readonly string[],
    force = false,
    claims?: WakeClaims,
  ): Promise<WokenTask[]> {
    const open = this.db.batches.open();
    const values = [...wakeClaimValues(claims, open.no), plainArray(ids), force];
    const told = toldOf(await this.db.hot.run(tellParents, values));
    const batch = open.stored(told.filter(({ claim }) => claim !== undefined).length);
    return told.map((task) =>
      task.claim === undefined ? task : { ...task, claim: { ...task.claim, batch } },
    );
  }

  async tellMissing(limit: number): Promise<WokenTask[]> {
    return toldOf(await this.db.cold.run(tellMissing, [...NO_CLAIMS, limit]));
  }

  async endChildren(id: string, reason: string, after: string | null): Promise<ChildrenPage> {
    return childrenPageOf(await this.db.hot.run(endChildren, [id, reason, after]));
  }

  async endItemChildren(
    map: ClaimKey,
    reason: string,
    after: string | null,
  ): Promise<ChildrenPage> {
    const values = endItemChildrenValues(map, reason, after);
    return childrenPageOf(await this.db.hot.run(endItemChildren, values));
  }

  async childrenEnded(ids: readonly string[]): Promise<void> {
    await this.db.hot.run(childrenEnded, [plainArray(ids)]);
  }

  async unsettled(limit: number, after: string | null): Promise<UnsettledEnd[]> {
    return this.db.hot.run(readUnsettled, [limit, after]);
  }

  async tree(id: string, limit: number, statuses?: readonly string[]): Promise<TreeRow[]> {
    const { cold } = this.db;
    return statuses === undefined
      ? cold.run(readTree, [id, limit])
      : cold.run(readTreeIn, [id, limit, plainArray(statuses)]);
  }
}

function withBatch(
  reply: ChildrenReply,
  children: readonly ChildStart[],
  batch: OpenBatch,
): ChildrenReply {
  const claims = children.reduce(
    (sum, { item }, i) => sum + (reply.children[i]?.fate === 'started' ? rootClaimsOf(item) : 0),
    0,
  );
  return { ...reply, batch: batch.stored(claims) };
}
