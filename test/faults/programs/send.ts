import type { EntityManager } from 'typeorm';
import type { JsonObject } from '../../../lib/discovery/context-types.js';
import type { Tenant } from '../../../lib/tenants/hosting/tenant.js';
import { Item, News, ROLLED_BACK, signalOf, type Payload } from './messages.js';

/** One message to send. */
export interface Sending {
  /** An execution, or its workflow and idempotency key, or for an event the key. */
  readonly to:
    | { readonly id: string }
    | { readonly workflow: string; readonly key: string }
    | { readonly event: string };
  /** The signal's name. */
  readonly name: string;
  readonly payload: Payload;
  readonly idempotencyKey?: string;
  /** In a transaction that is held open for this number of milliseconds. */
  readonly inTransactionMs?: number;
  /** Whether the transaction rolls back. */
  readonly rollsBack?: boolean;
  /** Starts the execution with this input if no execution has the key. */
  readonly orStart?: JsonObject;
}

class RollBack extends Error {}

/** Sends it, and resolves when it is stored, or rolled back. */
export async function sendMessage(
  { runner, dataSource }: Pick<Tenant, 'runner' | 'dataSource'>,
  sending: Sending,
  pause: (ms: number) => Promise<unknown>,
): Promise<void> {
  const { to, name, idempotencyKey, inTransactionMs, rollsBack, orStart } = sending;
  const payload = rollsBack === true ? { ...sending.payload, value: ROLLED_BACK } : sending.payload;
  const send = async (manager?: EntityManager): Promise<void> => {
    const options = {
      ...(idempotencyKey === undefined ? {} : { idempotencyKey }),
      ...(manager === undefined ? {} : { manager }),
      ...(orStart === undefined ? {} : { orStart: { input: orStart } }),
    };
    if ('event' in to) await runner.emit(News, to.event, payload, options);
    else await runner.signal(to, name === Item.name ? Item : signalOf(name), payload, options);
  };
  if (inTransactionMs === undefined) return send();
  try {
    await dataSource.transaction(async (manager) => {
      await send(manager);
      await pause(inTransactionMs);
      if (rollsBack === true) throw new RollBack();
    });
  } catch (error) {
    if (!(error instanceof RollBack)) throw error;
  }
}
