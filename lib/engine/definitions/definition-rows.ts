import { messageWithoutSecrets, UnreadableDefinitionError } from '../../errors/index.js';
import type { DefinitionContent, NewDefinition } from '../../store/port/index.js';
import {
  definitionIdOf,
  restoreWorkflow,
  storeWorkflow,
  type CompiledWorkflow,
  type StoredDefinition,
} from '../../workflow/index.js';
import type { RunnableDefinition } from './runnable-definition.js';

/** The row of a definition that is to be registered. */
export function asNew({ id, workflow }: RunnableDefinition): NewDefinition {
  return {
    id,
    hash: workflow.hash,
    name: workflow.name,
    version: workflow.version,
    description: workflow.description,
    definition: storeWorkflow(workflow),
  };
}

/**
 * The workflow of a stored definition. Checks that the content has the hash of its id, so that an execution only runs by its
 * own definition.
 *
 * @throws UnreadableDefinitionError
 */
export function restoreDefinition(
  { id, name, definition }: DefinitionContent,
  schema: string,
): CompiledWorkflow {
  try {
    const workflow = restoreWorkflow(definition as StoredDefinition);
    if (workflow.name === name && definitionIdOf(workflow.hash) === id) return workflow;
  } catch (error) {
    throw new UnreadableDefinitionError({ id, schema, reason: messageWithoutSecrets(error) });
  }
  throw new UnreadableDefinitionError({
    id,
    schema,
    reason: 'its content does not match its id',
  });
}
