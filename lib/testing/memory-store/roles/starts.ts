import { MemoryRole } from './memory-role.js';
import { keptKeyOf } from '../memory-retention.js';
import { start, startIn } from '../memory-starts.js';
import { asTransaction } from '../memory-transaction.js';
import type {
  LeaseWrite,
  StartItem,
  StartReply,
  StartStore,
  UserTransaction,
} from '../../../store/port/index.js';

/** Starts executions, in memory. */
export class MemoryStartStore extends MemoryRole implements StartStore {
  start(items: readonly StartItem[], lease: LeaseWrite, keyed: boolean): Promise<StartReply> {
    return this.run((tables) => start(tables, items, lease, keyed));
  }

  startIn(
    manager: UserTransaction,
    items: readonly StartItem[],
    lease: LeaseWrite,
    payload: string,
  ): Promise<StartReply> {
    const transaction = asTransaction(manager);
    const committed = (): void => this.tables.notify([payload]);
    return this.run((tables) => startIn(tables, transaction, items, lease, committed));
  }

  findByKeys(
    keys: readonly { readonly workflow: string; readonly key: string }[],
    manager?: UserTransaction,
  ): Promise<(string | undefined)[]> {
    const own = manager === undefined ? [] : asTransaction(manager).starts;
    return this.run((tables) =>
      keys.map(({ workflow, key }) => {
        const started = own.find((i) => i.plan.workflow === workflow && i.idempotencyKey === key);
        const found = (started ?? tables.findByKey(workflow, key))?.id;
        return found ?? keptKeyOf(tables, workflow, key);
      }),
    );
  }
}
