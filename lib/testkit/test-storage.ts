import type { RegisteredWorkflow } from '../discovery/registered-workflow.js';
import type { SqlClock } from '../store/postgres/statements/sql-clock.js';
import type { StorageOverride } from '../tenants/hosting/storage-override.js';
import type { ResolvedTenantOptions } from '../options/index.js';
import type { ProcessLife } from './process-life.js';

/** The storage of a process of a test. */
export interface ProcessStorage extends StorageOverride {
  /** Ends the connections of the process, as the system does when a process dies. */
  cut(): Promise<void>;
}

/** Where the processes of one test store. It outlives each of them. */
export interface TestStorage {
  readonly sqlClock: SqlClock;
  /** Called before a tenant is opened. */
  prepare(options: ResolvedTenantOptions): Promise<void>;
  /** The storage as a process sees it. */
  of(life: ProcessLife): ProcessStorage;
  /** Sets the time by which the store decides what is due. */
  setTime(time: Date): Promise<void>;
  /** Removes everything. */
  close(): Promise<void>;
}

/**
 * The workflows that the test adds to those of the library, each with one task, for `runTask`. The engine of each tenant
 * has the same list, and stores a workflow when it first uses it.
 */
export class AddedWorkflows {
  private readonly lists = new Set<RegisteredWorkflow[]>();
  private readonly added: RegisteredWorkflow[] = [];

  add(workflow: RegisteredWorkflow): void {
    this.added.push(workflow);
    for (const list of this.lists) list.push(workflow);
  }

  withThem(ofLibrary: readonly RegisteredWorkflow[]): readonly RegisteredWorkflow[] {
    const list = [...ofLibrary, ...this.added];
    this.lists.add(list);
    return list;
  }
}
