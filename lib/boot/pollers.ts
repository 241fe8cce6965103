import type { ChosenTenants } from '../discovery/chosen-tenants.js';
import type { DeclaredPoller, ExploredPollers } from '../discovery/poller-explorer.js';
import type { RegisteredWorkflow } from '../discovery/registered-workflow.js';
import { haveOneName } from '../discovery/schedule.decorator.js';
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

interface Named {
  readonly name: string;
  readonly tenants: ChosenTenants | undefined;
  readonly place: string;
  readonly isPoller: boolean;
}

/**
 * A tenant has one schedule of a name, and a poller has the name of its schedule. Two schedules may share a name if lists of
 * tenants keep them apart. A poller shares its name with nothing: its workflow has the name in the whole application.
 */
function takenNames(
  pollers: readonly DeclaredPoller[],
  workflows: readonly RegisteredWorkflow[],
): string[] {
  const known = new Map<string, Named[]>();
  const named = [
    ...workflows.flatMap(({ definition, schedules = [] }) =>
      schedules.map(({ name, tenants }) => ({
        name,
        tenants,
        place: `A schedule of workflow "${definition.name}"`,
        isPoller: false,
      })),
    ),
    ...pollers.map(({ name, place }) => ({
      name,
      tenants: undefined,
      place: `@Poller of ${place}`,
      isPoller: true,
    })),
  ];
  return named.flatMap((one) => {
    const others = known.get(one.name) ?? [];
    known.set(one.name, [...others, one]);
    // Two of one workflow are among its own problems.
    const other = others.find((each) => each.place !== one.place && haveOneName(one, each));
    return other === undefined ? [] : [taken(one, other)];
  });
}

function taken({ name, place, isPoller }: Named, other: Named): string {
  const holder = other.place.replace(/^@Poller of /, '').replace(/^A /, 'a ');
  const instead =
    isPoller || other.isPoller
      ? ''
      : ", or give both a list of tenants that has none of the other's";
  return `${place} has the name ${JSON.stringify(name)}, which ${holder} has too. Rename one of them${instead}.`;
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
