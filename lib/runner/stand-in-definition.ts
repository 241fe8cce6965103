import type { DefinitionCatalog } from '../engine/definitions/definition-catalog.js';
import {
  makeRunnable,
  type RunnableDefinition,
} from '../engine/definitions/runnable-definition.js';
import { UnreadableDefinitionError } from '../errors/index.js';
import { compileWorkflow } from '../workflow/index.js';
import type { ExecutionRow } from '../store/port/index.js';

/**
 * The definition for showing an execution. A definition that is missing, or that this release cannot read, must not
 * hide the execution or its page. In that case the tasks are shown by number and without dependencies.
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
