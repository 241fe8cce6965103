import type { Type } from '@nestjs/common';
import { didYouMean } from '../errors/index.js';
import type { RegisteredWorkflow, WorkflowRegistry } from './registered-workflow.js';
import { workflowNameOf, type WorkflowRef } from './workflow-ref.js';
import { getWorkflowOptions } from './workflow-metadata.js';

type Served = readonly (Type<unknown> | string)[];

/**
 * Tells whether a tenant's option `workflows` contains a workflow. Without the option, the tenant serves all. A poller is
 * served with the workflow that it starts.
 */
export function servesOnly(
  workflows: Served | undefined,
): (workflow: RegisteredWorkflow) => boolean {
  if (workflows === undefined) return () => true;
  // checkServed reports a class without @Workflow.
  const names = new Set(
    workflows.map((workflow) =>
      typeof workflow === 'string' ? workflow : getWorkflowOptions(workflow)?.name,
    ),
  );
  return ({ definition, polledFor }) => names.has(polledFor ?? definition.name);
}

/** The problems of a list of workflows, such as a tenant's option. Each is a sentence that begins with `owner`. */
export function checkServed(
  owner: string,
  workflows: readonly WorkflowRef[],
  registry: Pick<WorkflowRegistry, 'get' | 'ofApplication'>,
): string[] {
  return workflows.flatMap((workflow) => {
    if (typeof workflow === 'function' && getWorkflowOptions(workflow) === undefined) {
      return [`${owner} has the class ${workflow.name}, which has no @Workflow({ name }).`];
    }
    const name = workflowNameOf(workflow);
    if (registry.get(name) !== undefined) return [];
    const known = registry.ofApplication().map(({ definition }) => definition.name);
    return [
      `${owner} has ${JSON.stringify(name)}, which no module provides.${didYouMean(name, known)}`,
    ];
  });
}
