import { DefinitionCatalog } from '../definitions/definition-catalog.js';
import { DefinitionRestore } from '../definitions/definition-restore.js';
import { StrandedTasks } from '../definitions/stranded-tasks.js';
import { PausedWorkflows } from '../definitions/paused-workflows.js';
import type { EngineCore } from './core.js';

export type DefinitionsRoom = ReturnType<typeof wireDefinitions>;

/** The definitions that this process knows, and the tasks without a handler. */
export function wireDefinitions({ given, tenant, store, clock, later }: EngineCore) {
  const { registry, serves, restored, builtIns } = given;
  const paused = new PausedWorkflows();
  const catalog = new DefinitionCatalog(store, registry, serves, clock, restored, builtIns, paused);
  const restore = new DefinitionRestore(tenant, catalog, () => later.schedules.restoreLost());
  return {
    catalog,
    paused,
    stranded: new StrandedTasks(tenant, store, catalog, clock),
    /** Call when the database has lost definitions that this process had stored. */
    definitionsMissing: (): void => void restore.run(),
    restore,
  };
}
