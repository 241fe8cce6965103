import type { WorkflowPause } from './workflow-pauses.js';

/** A stored definition, without its graph. */
export interface StoredDefinitionRow {
  /** Derived from the hash by `definitionIdOf`. */
  readonly id: string;
  readonly hash: string;
  readonly name: string;
}

/** The stored definitions that a process needs to know. They are few, even if a tenant has stored many. */
export interface KnownDefinitions {
  /** The latest registered definition of each name. */
  readonly newest: readonly StoredDefinitionRow[];
  /** Definitions of the names that unfinished executions are pinned to. */
  readonly active: readonly StoredDefinitionRow[];
  /** The workflows that are paused, of any name. */
  readonly paused: readonly WorkflowPause[];
}

/** A stored definition with its graph. */
export interface DefinitionContent extends StoredDefinitionRow {
  /** The parsed JSON that `storeWorkflow` created. */
  readonly definition: unknown;
}

/** A definition to store. */
export interface NewDefinition {
  /** Derived from the hash by `definitionIdOf`. */
  readonly id: string;
  readonly hash: string;
  readonly name: string;
  readonly version: string | undefined;
  readonly description: string | undefined;
  readonly definition: unknown;
}

/** A tenant's stored definitions. */
export interface DefinitionStore {
  /**
   * Stores definitions. Makes those that are stored already the newest of their names. Their workflows subscribe to the
   * events in their `startsOn`, and to no others.
   */
  register(definitions: readonly NewDefinition[]): Promise<void>;
  known(names: readonly string[]): Promise<KnownDefinitions>;
  /** Definitions of these names with tasks that can be claimed, now or later. */
  waiting(names: readonly string[]): Promise<StoredDefinitionRow[]>;
  find(id: string): Promise<DefinitionContent | undefined>;
  newest(name: string): Promise<DefinitionContent | undefined>;
}
