import type { BulkSending } from '../../engine/bulk/bulk-control.js';
import type { TenantEngine } from '../../engine/tenant-engine.js';
import type { AvailabilityRetry } from '../../runtime/availability-retry.js';
import type { BulkAct } from './bulk-operation.js';

/** Number of signals that wait for the database. */
const MAX_SIGNALS = 1_000;

export interface BulkActionsParts {
  readonly engine: Pick<TenantEngine, 'bulk' | 'messages'>;
  readonly whileUnavailable: AvailabilityRetry;
}

/** Does the same with many executions. */
export class BulkActions {
  constructor(private readonly parts: BulkActionsParts) {}

  /**
   * Does something with all of the executions. Returns how many it changed.
   *
   * @param key - names the operation in the signals that it sends
   * @param signal - ends the work between two statements
   */
  async apply(
    act: BulkAct,
    ids: readonly string[],
    key: string,
    signal?: AbortSignal,
  ): Promise<number> {
    const { engine, whileUnavailable } = this.parts;
    const sending: BulkSending = { signal, repeat: (work) => whileUnavailable.run(work) };
    const { actor = null } = act;
    switch (act.kind) {
      case 'cancel':
      case 'pause':
        return (await engine.bulk.control(act.kind, ids, act.reason, sending, actor)).length;
      case 'resume':
        return (await engine.bulk.control(act.kind, ids, null, sending, actor)).length;
      case 'delete':
        return (await engine.bulk.delete(ids, sending)).length;
      case 'retry':
        return (await engine.bulk.retry(ids, { steps: act.steps, actor }, sending)).length;
      case 'signal':
        return this.signalAll(ids, act, key, signal);
    }
  }

  /** With the operation's key, a repeated page sends no signal twice. */
  private async signalAll(
    ids: readonly string[],
    { name, payload, idempotencyKey }: Extract<BulkAct, { readonly kind: 'signal' }>,
    key: string,
    signal: AbortSignal | undefined,
  ): Promise<number> {
    const { messages } = this.parts.engine;
    const content = {
      kind: 'signal',
      name,
      payload,
      idempotencyKey: idempotencyKey ?? key,
    } as const;
    let stored = 0;
    // A part at a time: the number of messages that may wait for the database is limited.
    for (let at = 0; at < ids.length; at += MAX_SIGNALS) {
      signal?.throwIfAborted();
      const part = ids.slice(at, at + MAX_SIGNALS);
      const replies = await Promise.all(
        part.map((id) => messages.send({ ...content, to: { id } }, idempotencyKey !== null)),
      );
      stored += replies.filter((reply) => reply.stored).length;
    }
    return stored;
  }
}
