import {
  type RegisteredWorkflow,
  type WorkflowRegistry,
} from '../discovery/registered-workflow.js';
import { UnknownWorkflowError } from '../errors/index.js';
import type {
  DefinitionContent,
  NewDefinition,
  StoredDefinitionRow,
  TenantStore,
} from '../store/store.js';
import {
  restoreWorkflow,
  storeWorkflow,
  type CompiledWorkflow,
  type StoredDefinition,
} from '../workflow/index.js';
import { repeatConflicts } from './conflicts.js';
import { makeRunnable, type RunnableDefinition } from './runnable-definition.js';

/** What a claim asks for: definitions of which the code has handlers, and the tasks among them that it has none for. */
export interface ClaimableDefinitions {
  readonly ids: readonly number[];
  readonly unknownTasks: readonly (readonly [definition: number, task: number])[];
}

/**
 * The definitions of one tenant that this process knows: its own, registered at boot, and the stored ones of the
 * same names, which executions from before the last deploy are pinned to.
 */
export class DefinitionCatalog {
  private readonly byId = new Map<number, RunnableDefinition>();
  private readonly current = new Map<string, RunnableDefinition>();
  private claimableIds: ClaimableDefinitions = { ids: [], unknownTasks: [] };
  private opened = false;

  constructor(
    private readonly store: TenantStore,
    private readonly registry: Pick<WorkflowRegistry, 'get' | 'list'>,
    /** Whether this tenant runs the workflow. */
    private readonly serves: (workflow: RegisteredWorkflow) => boolean,
    /** Older definitions that were read from any tenant, by hash: most tenants have the same ones. */
    private readonly restored: Map<string, Promise<CompiledWorkflow>> = new Map(),
  ) {}

  /**
   * Registers what the code has and loads the older definitions that the code still has handlers for.
   *
   * @param known - the stored definitions from the oldest to the newest, for who has read them already
   */
  async open(known?: readonly StoredDefinitionRow[]): Promise<void> {
    const own = this.own();
    const names = own.map(({ definition }) => definition.name);
    const newest = byName(known ?? (await this.store.definitions.newestOf(names)));
    for (const registered of own) {
      const stored = newest.get(registered.definition.name);
      const id =
        stored?.hash === registered.definition.hash
          ? stored.id
          : await this.register(registered.definition);
      const runnable = makeRunnable(id, registered.definition, registered);
      this.byId.set(id, runnable);
      this.current.set(registered.definition.name, runnable);
    }
    for (const row of known ?? (await this.store.definitions.all())) {
      if (this.byId.has(row.id) || !this.current.has(row.name)) continue;
      await this.loadOlder(row);
    }
    this.updateClaimable();
    this.opened = true;
  }

  /** Definitions of the code that {@link open} would register; `known` as there. */
  toRegister(known: readonly StoredDefinitionRow[]): NewDefinition[] {
    const newest = byName(known);
    return this.own()
      .filter(({ definition }) => newest.get(definition.name)?.hash !== definition.hash)
      .map(({ definition }) => asNew(definition));
  }

  get isOpen(): boolean {
    return this.opened;
  }

  get claimable(): ClaimableDefinitions {
    return this.claimableIds;
  }

  known(id: number): RunnableDefinition | undefined {
    return this.byId.get(id);
  }

  /** A definition by its id, read if this process has not seen it. */
  async find(id: number): Promise<RunnableDefinition> {
    return this.byId.get(id) ?? (await this.load(id));
  }

  /** The definition that a start by name uses: the code's, or else the newest stored one. */
  async toStart(name: string): Promise<RunnableDefinition> {
    const current = this.current.get(name);
    if (current !== undefined) return current;
    const content = await this.store.definitions.newest(name);
    if (content === undefined) {
      throw new UnknownWorkflowError(name, [...this.current.keys()]);
    }
    return this.byId.get(content.id) ?? this.restore(content);
  }

  /** The code's definition, without a look at the database. */
  currentOf(name: string): RunnableDefinition | undefined {
    return this.current.get(name);
  }

  /** Many tenants are opened at once: the first one reads, the others wait for that. */
  private async loadOlder({ id, hash }: StoredDefinitionRow): Promise<void> {
    const shared = this.restored.get(hash);
    if (shared === undefined) {
      const loaded = this.load(id).then(({ workflow }) => workflow);
      this.restored.set(hash, loaded);
      loaded.catch(() => this.restored.delete(hash));
      await loaded;
      return;
    }
    const workflow = await shared.catch(() => undefined);
    // Its own hash was compared with what is in it, so another tenant's row can't pass for it.
    if (workflow?.hash === hash) this.add(id, workflow);
    else await this.load(id);
  }

  private async load(id: number): Promise<RunnableDefinition> {
    const content = await this.store.definitions.find(id);
    if (content === undefined)
      throw new ReferenceError(`Definition ${id} is not in schema ${this.store.schema}.`);
    return this.restore(content);
  }

  private restore(content: DefinitionContent): RunnableDefinition {
    const workflow = restoreWorkflow(content.definition as StoredDefinition);
    return this.add(content.id, workflow);
  }

  private add(id: number, workflow: CompiledWorkflow): RunnableDefinition {
    const registered = this.registry.get(workflow.name);
    const runnable = makeRunnable(
      id,
      workflow,
      registered !== undefined && this.serves(registered) ? registered : undefined,
    );
    this.byId.set(id, runnable);
    this.updateClaimable();
    return runnable;
  }

  private own(): RegisteredWorkflow[] {
    return this.registry.list().filter((registered) => this.serves(registered));
  }

  private register(workflow: CompiledWorkflow): Promise<number> {
    const definition = asNew(workflow);
    return repeatConflicts(this.store, () => this.store.definitions.register(definition));
  }

  private updateClaimable(): void {
    const ids: number[] = [];
    const unknownTasks: (readonly [number, number])[] = [];
    for (const { id, handlers } of this.byId.values()) {
      if (handlers.every((handler) => handler === undefined)) continue;
      ids.push(id);
      handlers.forEach((handler, no) => {
        if (handler === undefined) unknownTasks.push([id, no]);
      });
    }
    this.claimableIds = { ids, unknownTasks };
  }
}

/** The last of each name. */
function byName(rows: readonly StoredDefinitionRow[]): Map<string, StoredDefinitionRow> {
  return new Map(rows.map((row) => [row.name, row]));
}

function asNew(workflow: CompiledWorkflow): NewDefinition {
  return {
    hash: workflow.hash,
    name: workflow.name,
    version: workflow.version,
    description: workflow.description,
    definition: storeWorkflow(workflow),
  };
}
