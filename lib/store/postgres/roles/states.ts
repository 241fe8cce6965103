import { PostgresRole } from './postgres-role.js';
import { readStates, replaceState, setState } from '../statements/states.js';
import type { StatementRunner } from '../statements/statement.js';
import type { StateRecord, StateStore, UserTransaction } from '../../port/index.js';

/** Values of the library by name, on PostgreSQL. */
export class PostgresStateStore extends PostgresRole implements StateStore {
  async read(names: readonly string[], transaction?: UserTransaction): Promise<StateRecord[]> {
    return (await this.runner(transaction)).run(readStates, [JSON.stringify(names)]);
  }

  async set(name: string, value: string | null, transaction?: UserTransaction): Promise<void> {
    await (await this.runner(transaction)).run(setState, [name, value]);
  }

  async replace(
    name: string,
    value: string,
    seen: string | null,
    transaction: UserTransaction,
  ): Promise<boolean> {
    const runner = await this.runner(transaction);
    return (await runner.run(replaceState, [name, value, seen])).length === 1;
  }

  private async runner(transaction: UserTransaction | undefined): Promise<StatementRunner> {
    return transaction === undefined ? this.db.cold : this.db.within(transaction);
  }
}
