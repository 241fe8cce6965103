import { Logger } from '@nestjs/common';
import type { RegisteredWorkflow, WorkflowRegistry } from '../../discovery/registered-workflow.js';
import { UnknownWorkflowError, UnreadableDefinitionError } from '../../errors/index.js';
import {
  definitionIdOf,
  isBuiltInName,
  joinLimits,
  type CompiledWorkflow,
  type LimitTable,
} from '../../workflow/index.js';
import { retryOnConflict } from '../../runtime/retry-on-conflict.js';
import { PausedWorkflows } from './paused-workflows.js';
import { claimableOf, type ClaimableDefinitions } from './claimable-definitions.js';
import { asNew, restoreDefinition } from './definition-rows.js';
import { makeRunnable, type RunnableDefinition } from './runnable-definition.js';
import { StoredDefinitions } from './stored-definitions.js';
import type {
  KnownDefinitions,
  NewDefinition,
  StoredDefinitionRow,
  TenantStore,
} from '../../store/port/index.js';
import type { Clock } from '../../runtime/clock.js';

/** Minimum time between two reads of definitions that other processes use, in milliseconds. */
export const LOOK_INTERVAL_MS = 1_000;

/**
 * The workflow definitions that this process knows in one tenant. It registers its own at boot. It also loads others
 * with the same names, because unfinished executions of earlier releases or of other processes are pinned to them.
 *
 * A definition's id follows from its content, so the catalog is never out of date. Only the stored row, from which
 * other processes read the definition, can be missing.
 */
export class DefinitionCatalog {
  private readonly logger = new Logger('Cloacina');
  private readonly byId = new Map<string, RunnableDefinition>();
  private ownDefinitions: ReadonlyMap<string, RunnableDefinition> | undefined;
  private readonly stored: StoredDefinitions;
  /** Stored definitions that this process can't read; each is reported once. */
  private readonly unreadable = new Set<string>();
  private servedIds = claimableOf([]);
  private claimableIds = claimableOf([]);
  private ids: readonly string[] | undefined;
  private limitsText: string | undefined;
  private limitTable: LimitTable | undefined;
  private joinedNames: ReadonlySet<string> | undefined;
  private hasAdmissions = false;
  private opened = false;
  private lookedAt = -Infinity;

  constructor(
    private readonly store: Pick<
      TenantStore,
      'admissions' | 'definitions' | 'limits' | 'schema' | 'classifyFailure'
    >,
    private readonly registry: Pick<WorkflowRegistry, 'get' | 'list'>,
    /** Whether this tenant runs the workflow. */
    private readonly serves: (workflow: RegisteredWorkflow) => boolean,
    private readonly clock: Clock,
    /** Older definitions by hash, shared by all tenants of the process. */
    restored: Map<string, Promise<CompiledWorkflow>> = new Map(),
    /**
     * The library's own workflows. They are stored and claimed only in tenants that use them, so others pay nothing for
     * them. Every process that serves the tenant runs them, whatever workflows it serves.
     */
    private readonly builtIns: readonly RegisteredWorkflow[] = [],
    private readonly paused = new PausedWorkflows(),
  ) {
    this.stored = new StoredDefinitions(store, restored);
  }

  /** The code's definitions by name. Built on first use, when the tenant is opened and the registry is complete. */
  private get current(): ReadonlyMap<string, RunnableDefinition> {
    if (this.ownDefinitions !== undefined) return this.ownDefinitions;
    const own = new Map<string, RunnableDefinition>();
    for (const registered of this.registry.list()) {
      if (!this.serves(registered)) continue;
      const runnable = makeRunnable(registered.definition, registered, this.paused);
      this.byId.set(runnable.id, runnable);
      own.set(registered.definition.name, runnable);
    }
    this.ownDefinitions = own;
    return own;
  }

  /** The numbers of limits by name, as the running code has them, and those of maps, as their definitions have them. */
  get limits(): LimitTable {
    if (this.limitTable !== undefined) return this.limitTable;
    const ofMaps = [...this.byId.values()].flatMap(({ mapLimits }) => [...mapLimits]);
    this.limitTable = new Map([...this.limitsOfCode(), ...ofMaps]);
    return this.limitTable;
  }

  /** The names of limits whose slots items of maps with a concurrency of their own take too. */
  get joinedLimits(): ReadonlySet<string> {
    this.joinedNames ??= new Set(
      [...this.byId.values()].flatMap(({ joinedLimits }) => joinedLimits),
    );
    return this.joinedNames;
  }

  /** Names of the workflows that this tenant runs, with those of the library. */
  get names(): string[] {
    return [...this.current.keys(), ...this.builtIns.map(({ definition }) => definition.name)];
  }

  /**
   * Registers the code's definitions and loads older ones for which the code still has handlers.
   *
   * @param known - the stored definitions, if the caller has read them and registered those of {@link toRegister}
   */
  async open(known?: KnownDefinitions): Promise<void> {
    const stored = known ?? (await this.store.definitions.known(this.names));
    if (known === undefined) await this.register(this.toRegister(stored));
    this.paused.replace(stored.paused);
    await this.loadAll(stored.active);
    this.updateClaimable();
    this.opened = true;
  }

  /** The code's definitions that are not the newest stored ones of their names. */
  toRegister({ newest }: KnownDefinitions): NewDefinition[] {
    const stored = new Map(newest.map((row) => [row.name, row.id]));
    return [...this.current.values()]
      .filter(({ id, workflow }) => stored.get(workflow.name) !== id)
      .map(asNew);
  }

  /** Stores the code's definitions again, because the database may have lost them. */
  async registerAgain(): Promise<void> {
    const stored = await this.store.definitions.known(this.names);
    const used = this.builtIns
      .map(({ definition }) => this.byId.get(definitionIdOf(definition.hash)))
      .filter((runnable) => runnable !== undefined);
    await this.register([...this.toRegister(stored), ...used.map(asNew)]);
    await this.loadAll(stored.active);
  }

  /**
   * Stores those of the code's definitions again that the database has lost, with their subscriptions to events. Others stay as
   * they are, because a newer release may have registered its own since. Returns whether some were lost.
   */
  async restoreLost(): Promise<boolean> {
    if (this.ownIds.length === 0) return false;
    const { definitions } = this.store;
    const lost: NewDefinition[] = [];
    for (const definition of this.toRegister(await definitions.known(this.names))) {
      if ((await definitions.find(definition.id)) === undefined) lost.push(definition);
    }
    await this.register(lost);
    return lost.length > 0;
  }

  /** The names of the code's own workflows, in order. */
  get ownNames(): string[] {
    return [...this.current.keys()].toSorted();
  }

  /** JSON text of the numbers of the code's limits, by name. */
  get ownLimits(): string {
    this.limitsText ??= JSON.stringify(Object.fromEntries(this.limitsOfCode()));
    return this.limitsText;
  }

  private limitsOfCode(): LimitTable {
    const { current } = this;
    return joinLimits([...current.values()].flatMap(({ workflow }) => workflow.limits ?? []))
      .limits;
  }

  /** The ids of the code's own definitions. Always the same array. */
  get ownIds(): readonly string[] {
    this.ids ??= [...this.current.values()].map(({ id }) => id);
    return this.ids;
  }

  get isOpen(): boolean {
    return this.opened;
  }

  /** What this process may claim now: without the workflows that are paused. */
  get claimable(): ClaimableDefinitions {
    return this.claimableIds;
  }

  /** What this process has handlers for. */
  get served(): ClaimableDefinitions {
    return this.servedIds;
  }

  /** Call when workflows were paused or resumed. */
  pausesChanged(): void {
    this.updateClaimable();
  }

  /** Whether one of the known definitions has an admission. */
  get admits(): boolean {
    return this.hasAdmissions;
  }

  known(id: string): RunnableDefinition | undefined {
    return this.byId.get(id);
  }

  /**
   * Returns a definition by its id. Reads it if this process does not know it.
   *
   * @throws UnreadableDefinitionError when it is not stored, or this release can't read its form
   */
  async find(id: string): Promise<RunnableDefinition> {
    return this.byId.get(id) ?? this.add(await this.stored.load(id));
  }

  /** The definition that a start by name uses: the code's own, or else the newest stored one. */
  async toStart(name: string): Promise<RunnableDefinition> {
    const current = this.current.get(name);
    if (current !== undefined) return current;
    const content = await this.store.definitions.newest(name);
    if (content === undefined) {
      const known = [...this.current.keys()].filter((one) => !isBuiltInName(one));
      throw new UnknownWorkflowError(name, known);
    }
    return this.byId.get(content.id) ?? this.add(restoreDefinition(content, this.store.schema));
  }

  /** A workflow of the library. Its first use in a tenant stores it there. */
  async builtIn(name: string): Promise<RunnableDefinition> {
    const registered = this.builtIns.find(({ definition }) => definition.name === name);
    if (registered === undefined) throw new UnknownWorkflowError(name, []);
    const known = this.byId.get(definitionIdOf(registered.definition.hash));
    if (known !== undefined) return known;
    await this.register([asNew(makeRunnable(registered.definition, registered))]);
    return this.add(registered.definition);
  }

  /** The code's own definition of this name. Does not read the database. */
  currentOf(name: string): RunnableDefinition | undefined {
    return this.current.get(name);
  }

  /**
   * Loads definitions of other processes for which tasks wait, for example after a newer release was deployed beside
   * this one. Reads the database at most once a second; `tooEarly` asks the caller to call again later.
   */
  async lookForOthers(): Promise<'found' | 'nothing' | 'tooEarly'> {
    const now = this.clock.now();
    if (!this.opened) return 'nothing';
    if (now - this.lookedAt < LOOK_INTERVAL_MS) return 'tooEarly';
    this.lookedAt = now;
    const before = this.byId.size;
    await this.loadAll(await this.store.definitions.waiting(this.names));
    return this.byId.size > before ? 'found' : 'nothing';
  }

  private async loadAll(rows: readonly StoredDefinitionRow[]): Promise<void> {
    for (const row of rows) {
      if (this.byId.has(row.id) || this.unreadable.has(row.id)) continue;
      try {
        this.add(await this.stored.loadShared(row));
      } catch (error) {
        if (!(error instanceof UnreadableDefinitionError)) throw error;
        this.unreadable.add(row.id);
        this.logger.warn(`${error.message} Its executions are left to processes that can read it.`);
      }
    }
  }

  private add(workflow: CompiledWorkflow): RunnableDefinition {
    const runnable = makeRunnable(workflow, this.registeredOf(workflow.name), this.paused);
    this.byId.set(runnable.id, runnable);
    this.updateClaimable();
    return runnable;
  }

  /** The running code of a workflow, if this tenant runs it. */
  private registeredOf(name: string): RegisteredWorkflow | undefined {
    const builtIn = this.builtIns.find(({ definition }) => definition.name === name);
    if (builtIn !== undefined) return builtIn;
    const registered = this.registry.get(name);
    return registered !== undefined && this.serves(registered) ? registered : undefined;
  }

  private async register(definitions: readonly NewDefinition[]): Promise<void> {
    if (definitions.length === 0) return;
    await retryOnConflict(this.store, this.clock, () =>
      this.store.definitions.register(definitions),
    );
  }

  private updateClaimable(): void {
    this.servedIds = claimableOf(this.byId.values());
    this.claimableIds = this.paused.areSome
      ? claimableOf([...this.byId.values()].filter(({ isPaused }) => !isPaused()))
      : this.servedIds;
    this.limitTable = undefined;
    this.joinedNames = undefined;
    if (this.servedIds.limitedIds.length > 0) this.store.limits.use();
    this.hasAdmissions = [...this.byId.values()].some(
      ({ workflow }) => workflow.admission !== undefined,
    );
    if (this.hasAdmissions) this.store.admissions.use();
  }
}
