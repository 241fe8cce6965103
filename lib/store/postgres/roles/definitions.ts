import { PostgresRole } from './postgres-role.js';
import { definitionValues } from '../bulk-definitions.js';
import { runBulk } from '../tenant-statements.js';
import {
  knownDefinitions,
  readDefinition,
  readKnownDefinitions,
  readNewestDefinition,
  readWaitingDefinitions,
  registerDefinitions,
} from '../statements/definitions.js';
import type { BulkStatement } from '../statements/statement.js';
import type {
  DefinitionContent,
  DefinitionStore,
  KnownDefinitions,
  NewDefinition,
  StoredDefinitionRow,
} from '../../port/index.js';

/** A tenant's stored definitions on PostgreSQL. */
export class PostgresDefinitionStore extends PostgresRole implements DefinitionStore {
  async register(definitions: readonly NewDefinition[]): Promise<void> {
    const rows = await this.once(registerDefinitions, definitionValues(definitions));
    const registered = new Set(rows.map(({ id }) => id));
    const refused = definitions.find(({ id }) => !registered.has(id));
    // Two definitions collide with a chance of 1 in 2^63. Running one workflow as another would be worse than failing.
    if (refused !== undefined) {
      throw new Error(
        `The id ${refused.id} of workflow ${JSON.stringify(refused.name)} belongs to another stored definition. Give the ` +
          'workflow a `version`, which changes its id.',
      );
    }
  }

  async known(names: readonly string[]): Promise<KnownDefinitions> {
    const rows = await this.once(readKnownDefinitions, [names]);
    return knownDefinitions(rows, 1)[0] ?? { newest: [], active: [], paused: [] };
  }

  async waiting(names: readonly string[]): Promise<StoredDefinitionRow[]> {
    return this.db.cold.run(readWaitingDefinitions, [names]);
  }

  async find(id: string): Promise<DefinitionContent | undefined> {
    return (await this.db.cold.run(readDefinition, [id]))[0];
  }

  async newest(name: string): Promise<DefinitionContent | undefined> {
    return (await this.db.cold.run(readNewestDefinition, [name]))[0];
  }

  private once<R>(statement: BulkStatement<R>, values: readonly unknown[]): Promise<R[]> {
    return this.db.pools.turns.general.withConnection(this.db.tables, (client) =>
      runBulk(client, statement, [this.db.tables], values),
    );
  }
}
