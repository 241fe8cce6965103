import { MemoryRole } from './memory-role.js';
import { asTransaction, type MemoryTransaction } from '../memory-transaction.js';
import type { StateRecord, StateStore, UserTransaction } from '../../../store/port/index.js';

/** Values of the library by name, in memory. A transaction that has changed one keeps others from it until its end. */
export class MemoryStateStore extends MemoryRole implements StateStore {
  read(names: readonly string[], transaction?: UserTransaction): Promise<StateRecord[]> {
    const own = transaction === undefined ? undefined : asTransaction(transaction).states;
    return this.run((tables) =>
      names.flatMap((name) => {
        const record = tables.states.get(name);
        const value = own?.get(name);
        if (value === undefined) return record ?? [];
        return { name, value, updatedAt: tables.now() };
      }),
    );
  }

  async set(name: string, value: string | null, transaction?: UserTransaction): Promise<void> {
    await this.write(name, value, () => true, transaction);
  }

  replace(
    name: string,
    value: string,
    seen: string | null,
    transaction: UserTransaction,
  ): Promise<boolean> {
    return this.write(name, value, (current) => current === seen, transaction);
  }

  private async write(
    name: string,
    value: string | null,
    isWanted: (current: string | null) => boolean,
    transaction: UserTransaction | undefined,
  ): Promise<boolean> {
    const own = transaction === undefined ? undefined : asTransaction(transaction);
    for (;;) {
      const done = await this.run((): boolean | MemoryTransaction => {
        const { states, changedStates } = this.tables;
        const holder = changedStates.get(name);
        if (holder !== undefined && holder !== own) return holder;
        const written = own?.states.get(name);
        const current = written === undefined ? (states.get(name)?.value ?? null) : written;
        if (!isWanted(current)) return false;
        const put = (): unknown => states.set(name, { name, value, updatedAt: this.tables.now() });
        if (own === undefined) put();
        else {
          changedStates.set(name, own);
          own.states.set(name, value);
          own.onCommit(put);
        }
        return true;
      });
      if (typeof done === 'boolean') return done;
      await done.ended;
    }
  }
}
