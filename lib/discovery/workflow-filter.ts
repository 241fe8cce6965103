import type { Type } from '@nestjs/common';
import { didYouMean } from '../errors/index.js';
import type { RegisteredWorkflow, WorkflowRegistry } from './registered-workflow.js';
import { workflowNameOf, type WorkflowRef } from './workflow-ref.js';
import { getWorkflowOptions } from './workflow-metadata.js';

type Served = readonly (Type<unknown> | string)[];

/** Whether a tenant's option `workflows` has a workflow; without the option, it has all. */
export function servesOnly(
  workflows: Served | undefined,
): (workflow: RegisteredWorkflow) => boolean {
  if (workflows === undefined) return () => true;
  // A class that is no workflow is reported by checkServed.
  const names = new Set(
    workflows.map((workflow) =>
      typeof workflow === 'string' ? workflow : getWorkflowOptions(workflow)?.name,
    ),
  );
  return ({ definition }) => names.has(definition.name);
}

/** What is wrong with a list of workflows, such as a tenant's option: sentences that begin with `owner`. */
export function checkServed(
  owner: string,
  workflows: readonly WorkflowRef[],
  registry: Pick<WorkflowRegistry, 'get' | 'list'>,
): string[] {
  return workflows.flatMap((workflow) => {
    if (typeof workflow === 'function' && getWorkflowOptions(workflow) === undefined) {
      return [`${owner} has the class ${workflow.name}, which has no @Workflow({ name }).`];
    }
    const name = workflowNameOf(workflow);
    if (registry.get(name) !== undefined) return [];
    const known = registry.list().map(({ definition }) => definition.name);
    return [
      `${owner} has ${JSON.stringify(name)}, which no module provides.${didYouMean(name, known)}`,
    ];
  });
}
