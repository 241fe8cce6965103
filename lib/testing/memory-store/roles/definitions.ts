import { MemoryRole } from './memory-role.js';
import type {
  DefinitionContent,
  DefinitionStore,
  KnownDefinitions,
  NewDefinition,
  StoredDefinitionRow,
} from '../../../store/port/index.js';
import { subscribe } from '../memory-event-starts.js';
import { isWaiting, type MemoryDefinition } from '../memory-rows.js';

/**
 * A tenant's stored definitions. Reading them waits for no lock, because a manual retry reads them while it holds one.
 */
export class MemoryDefinitionStore extends MemoryRole implements DefinitionStore {
  async register(definitions: readonly NewDefinition[]): Promise<void> {
    const stored = this.tables.definitions;
    const other = definitions.find(({ id, hash }) => (stored.get(id)?.hash ?? hash) !== hash);
    if (other !== undefined) {
      throw new Error(`The id ${other.id} belongs to another stored definition.`);
    }
    subscribe(this.tables, definitions);
    for (const { id, hash, name, version, definition } of definitions) {
      const text = stored.get(id)?.definition ?? JSON.stringify(definition);
      stored.set(id, {
        id,
        hash,
        name,
        version,
        definition: text,
        registered: this.tables.nextId(),
        registeredAt: this.tables.now(),
      });
    }
  }

  async known(names: readonly string[]): Promise<KnownDefinitions> {
    const tasks = this.tables.allTasks();
    const ids = new Set([
      ...tasks.filter((t) => isWaiting(t) || t.status === 'Running').map((t) => t.definitionId),
      ...[...this.tables.executions.values()]
        .filter(({ status }) => status === 'Paused')
        .map(({ definitionId }) => definitionId),
    ]);
    return {
      newest: names.flatMap((name) => this.newestOf(name) ?? []).map(rowOf),
      active: this.named(names)
        .filter(({ id }) => ids.has(id))
        .map(rowOf),
      paused: this.tables.listPauses(),
    };
  }

  async waiting(names: readonly string[]): Promise<StoredDefinitionRow[]> {
    const tasks = this.tables.allTasks().filter(isWaiting);
    const ids = new Set(tasks.map(({ definitionId }) => definitionId));
    return this.named(names)
      .filter(({ id }) => ids.has(id))
      .map(rowOf);
  }

  async find(id: string): Promise<DefinitionContent | undefined> {
    return contentOf(this.tables.definitions.get(id));
  }

  async newest(name: string): Promise<DefinitionContent | undefined> {
    return contentOf(this.newestOf(name));
  }

  private named(names: readonly string[]): MemoryDefinition[] {
    return [...this.tables.definitions.values()].filter(({ name }) => names.includes(name));
  }

  private newestOf(name: string): MemoryDefinition | undefined {
    return this.named([name])
      .sort((a, b) => a.registered - b.registered)
      .at(-1);
  }
}

function rowOf({ id, hash, name }: MemoryDefinition): StoredDefinitionRow {
  return { id, hash, name };
}

function contentOf(stored: MemoryDefinition | undefined): DefinitionContent | undefined {
  return stored && { ...rowOf(stored), definition: JSON.parse(stored.definition) as unknown };
}
