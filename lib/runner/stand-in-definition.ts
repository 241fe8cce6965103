import type { DefinitionCatalog } from '../engine/definitions/definition-catalog.js';
import {
  makeRunnable,
  type RunnableDefinition,
} from '../engine/definitions/runnable-definition.js';
import { UnreadableDefinitionError } from '../errors/index.js';
import { compileWorkflow } from '../workflow/index.js';
import type { ExecutionRow } from '../store/port/index.js';

/**
 * The definition to show an execution with. One that this release can't read, or that is missing, must not hide the
 * execution, let alone the page that it is on: then its tasks are shown by their numbers, without what they depend on.
 */
export async function definitionToShow(
  catalog: Pick<DefinitionCatalog, 'find'>,
  { definitionId, workflow }: Pick<ExecutionRow, 'definitionId' | 'workflow'>,
  taskCount: number,
): Promise<RunnableDefinition> {
  try {
    return await catalog.find(definitionId);
  } catch (error) {
    if (!(error instanceof UnreadableDefinitionError)) throw error;
    const tasks = Array.from({ length: taskCount }, (_, no) => ({ name: `task ${no}` }));
    const compiled = compileWorkflow({ name: workflow, tasks });
    if (!compiled.ok) throw error;
    return makeRunnable(compiled.workflow, undefined);
  }
}
