import { UnreadableDefinitionError } from '../../errors/index.js';
import type { StoredDefinitionRow, TenantStore } from '../../store/port/index.js';
import type { CompiledWorkflow } from '../../workflow/index.js';
import { restoreDefinition } from './definition-rows.js';

/** Reads the stored definitions of a tenant. */
export class StoredDefinitions {
  constructor(
    private readonly store: Pick<TenantStore, 'definitions' | 'schema'>,
    /** Older definitions by hash, shared by all tenants of the process, because most tenants have the same ones. */
    private readonly restored: Map<string, Promise<CompiledWorkflow>>,
  ) {}

  /** Loads a definition once for all tenants: while many are opened, the first one reads and the others wait. */
  async loadShared({ id, hash }: StoredDefinitionRow): Promise<CompiledWorkflow> {
    const shared = this.restored.get(hash);
    // A loaded definition was compared with its hash, so a wrong row of another tenant can't pass for this one.
    const known = await shared?.catch(() => undefined);
    if (known?.hash === hash) return known;
    const loaded = this.load(id);
    if (shared === undefined) {
      this.restored.set(hash, loaded);
      loaded.catch(() => this.restored.delete(hash));
    }
    return loaded;
  }

  /** @throws UnreadableDefinitionError when it is not stored, or this release can't read its form */
  async load(id: string): Promise<CompiledWorkflow> {
    const content = await this.store.definitions.find(id);
    if (content === undefined) {
      throw new UnreadableDefinitionError({
        id,
        schema: this.store.schema,
        reason: 'it is missing',
      });
    }
    return restoreDefinition(content, this.store.schema);
  }
}
