import type { DeclaredPoller, ExploredPollers } from '../discovery/poller-explorer.js';
import type { RegisteredWorkflow } from '../discovery/registered-workflow.js';
import { didYouMean } from '../errors/index.js';
import { registerPoller } from '../runner/pollers/poller-workflow.js';

/** The workflows of the application's pollers. */
export interface RegisteredPollers {
  readonly workflows: readonly RegisteredWorkflow[];
  /** All problems, each one or two sentences. */
  readonly problems: readonly string[];
}

/**
 * Makes the workflows of pollers, and checks the pollers together with the workflows of the application.
 *
 * @param areComplete - whether all workflows are known. Those of factories are known when Nest has made all instances
 */
export function registerPollers(
  { pollers, problems }: ExploredPollers,
  workflows: readonly RegisteredWorkflow[],
  areComplete: boolean,
): RegisteredPollers {
  const registrations = pollers.map(registerPoller);
  return {
    workflows: registrations.flatMap(({ registered }) => registered ?? []),
    problems: [
      ...problems,
      ...registrations.flatMap((one) => one.problems),
      ...takenNames(pollers, workflows),
      ...(areComplete ? unknownWorkflows(pollers, workflows) : []),
    ],
  };
}

/** A poller has the name of its schedule, so no other schedule of the code may have it. */
function takenNames(
  pollers: readonly DeclaredPoller[],
  workflows: readonly RegisteredWorkflow[],
): string[] {
  const places = new Map<string, string>();
  const named = [
    ...workflows.flatMap(({ definition, schedules = [] }) =>
      schedules.map(({ name }) => ({ name, place: `A schedule of workflow "${definition.name}"` })),
    ),
    ...pollers.map(({ name, place }) => ({ name, place: `@Poller of ${place}` })),
  ];
  return named.flatMap(({ name, place }) => {
    const other = places.get(name);
    places.set(name, place);
    // Two of one workflow are among its own problems.
    if (other === undefined || other === place) return [];
    return [
      `${place} has the name ${JSON.stringify(name)}, which ${other.replace(/^@Poller of /, '').replace(/^A /, 'a ')} has too. Rename one of them.`,
    ];
  });
}

function unknownWorkflows(
  pollers: readonly DeclaredPoller[],
  workflows: readonly RegisteredWorkflow[],
): string[] {
  const names = workflows.map(({ definition }) => definition.name);
  return pollers
    .filter(({ workflowName }) => !names.includes(workflowName))
    .map(
      ({ place, workflowName }) =>
        `@Poller of ${place}: workflow has ${JSON.stringify(workflowName)}, which no module provides.` +
        didYouMean(workflowName, names),
    );
}
