/** A stored definition, without its graph. */
export interface StoredDefinitionRow {
  /** See `definitionIdOf`: it follows from the hash. */
  readonly id: string;
  readonly hash: string;
  readonly name: string;
}

/** What a process needs to know of a tenant's stored definitions: few, however many are stored. */
export interface KnownDefinitions {
  /** The one of each name that was registered last. */
  readonly newest: readonly StoredDefinitionRow[];
  /** Those of the names with executions that have not ended. */
  readonly active: readonly StoredDefinitionRow[];
}

export interface DefinitionContent extends StoredDefinitionRow {
  /** What `storeWorkflow` made, parsed. */
  readonly definition: unknown;
}

export interface NewDefinition {
  /** See `definitionIdOf`: it follows from the hash. */
  readonly id: string;
  readonly hash: string;
  readonly name: string;
  readonly version: string | undefined;
  readonly description: string | undefined;
  readonly definition: unknown;
}

/** A tenant's stored definitions. */
export interface DefinitionStore {
  /** Stores them, or makes the stored ones the newest of their names. */
  register(definitions: readonly NewDefinition[]): Promise<void>;
  known(names: readonly string[]): Promise<KnownDefinitions>;
  /** Those of these names of which tasks wait to be claimed, now or later. */
  waiting(names: readonly string[]): Promise<StoredDefinitionRow[]>;
  find(id: string): Promise<DefinitionContent | undefined>;
  newest(name: string): Promise<DefinitionContent | undefined>;
}
