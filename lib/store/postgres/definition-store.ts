import type { FairConnectionPool } from './connections/fair-connection-pool.js';
import { definitionValues } from './bulk-definitions.js';
import { runUnprepared } from './tenant-statements.js';
import {
  decodeDefinition,
  decodeKnownDefinitions,
  readDefinition,
  readKnownDefinitions,
  readNewestDefinition,
  readWaitingDefinitions,
  registerDefinitions,
} from './statements/definitions.js';
import type { RawRow, StatementRunner, TenantTables } from './statements/statement.js';
import type {
  DefinitionContent,
  DefinitionStore,
  KnownDefinitions,
  NewDefinition,
  StoredDefinitionRow,
} from '../port/index.js';

/** A tenant's stored definitions on PostgreSQL. */
export class PostgresDefinitionStore implements DefinitionStore {
  constructor(
    private readonly runner: StatementRunner,
    private readonly tables: TenantTables,
    /** For texts that are shared with the reading of many tenants, and run once or twice: not prepared. */
    private readonly turns: FairConnectionPool,
  ) {}

  async register(definitions: readonly NewDefinition[]): Promise<void> {
    const rows = await this.once(registerDefinitions([this.tables]), definitionValues(definitions));
    const registered = new Set(rows.map((row) => row[1]));
    const refused = definitions.find(({ id }) => !registered.has(id));
    // One chance in 2^63 a pair. To run one workflow as another would be worse than not to run it.
    if (refused !== undefined) {
      throw new Error(
        `The id ${refused.id} of workflow ${JSON.stringify(refused.name)} is that of another stored definition. Give the ` +
          'workflow a `version`, which changes its id.',
      );
    }
  }

  async known(names: readonly string[]): Promise<KnownDefinitions> {
    const rows = await this.once(readKnownDefinitions([this.tables]), [names]);
    return decodeKnownDefinitions(rows, 1)[0] ?? { newest: [], active: [] };
  }

  async waiting(names: readonly string[]): Promise<StoredDefinitionRow[]> {
    return (await this.runner.run(readWaitingDefinitions, [names])).map(decodeDefinition);
  }

  async find(id: string): Promise<DefinitionContent | undefined> {
    return decodeContent((await this.runner.run(readDefinition, [id]))[0]);
  }

  async newest(name: string): Promise<DefinitionContent | undefined> {
    return decodeContent((await this.runner.run(readNewestDefinition, [name]))[0]);
  }

  private once(text: string, values: readonly unknown[]): Promise<readonly RawRow[]> {
    return this.turns.withConnection(this.tables, (client) => runUnprepared(client, text, values));
  }
}

function decodeContent(row: RawRow | undefined): DefinitionContent | undefined {
  if (row === undefined) return undefined;
  return { ...decodeDefinition(row), definition: JSON.parse(row[3] ?? 'null') as unknown };
}
