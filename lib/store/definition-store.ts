import type {
  DefinitionContent,
  DefinitionStore,
  NewDefinition,
  StoredDefinitionRow,
} from './store.js';
import {
  listDefinitions,
  readDefinition,
  readDefinitionsOf,
  readNewestDefinition,
  registerDefinition,
} from './statements/definitions.js';
import type { RawRow, StatementRunner } from './statements/statement.js';

/** A tenant's stored definitions on PostgreSQL. */
export class PostgresDefinitionStore implements DefinitionStore {
  constructor(private readonly runner: StatementRunner) {}

  async register(definition: NewDefinition): Promise<number> {
    const [row] = await this.runner.run(registerDefinition, [
      definition.hash,
      definition.name,
      definition.version ?? null,
      definition.description ?? null,
      JSON.stringify(definition.definition),
    ]);
    return Number(row?.[0]);
  }

  async newestOf(names: readonly string[]): Promise<StoredDefinitionRow[]> {
    return (await this.runner.run(readDefinitionsOf, [names])).map(decodeDefinition);
  }

  async all(): Promise<StoredDefinitionRow[]> {
    return (await this.runner.run(listDefinitions, [])).map(decodeDefinition);
  }

  async find(id: number): Promise<DefinitionContent | undefined> {
    return decodeContent((await this.runner.run(readDefinition, [id]))[0]);
  }

  async newest(name: string): Promise<DefinitionContent | undefined> {
    return decodeContent((await this.runner.run(readNewestDefinition, [name]))[0]);
  }
}

function decodeDefinition(row: RawRow): StoredDefinitionRow {
  return { id: Number(row[0]), hash: row[1] ?? '', name: row[2] ?? '' };
}

function decodeContent(row: RawRow | undefined): DefinitionContent | undefined {
  if (row === undefined) return undefined;
  return { ...decodeDefinition(row), definition: JSON.parse(row[3] ?? 'null') as unknown };
}
