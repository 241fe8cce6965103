import { ChildStarter } from '../children/child-starter.js';
import { Children } from '../children/children.js';
import type { CompletionRoom } from './completion.js';
import type { ControlRoom } from './control.js';
import type { EngineCore } from './core.js';
import type { DefinitionsRoom } from './definitions.js';
import type { StartsRoom } from './starts.js';
import type { WaitsRoom } from './waits.js';

export type ChildrenRoom = ReturnType<typeof wireChildren>;

export interface GroupsOfChildren {
  readonly definitions: DefinitionsRoom;
  readonly completion: CompletionRoom;
  readonly starts: StartsRoom;
  readonly control: ControlRoom;
  readonly waits: WaitsRoom;
}

/** Executions that tasks of other executions start. */
export function wireChildren(core: EngineCore, groups: GroupsOfChildren) {
  const { given, settings, store, services, clock, address, childUse, gate, whileHeld, later } =
    core;
  const { definitions, completion, starts, control, waits } = groups;
  const childStarter = new ChildStarter({
    clock,
    tenant: settings.tenant,
    schema: settings.schema,
    startTimeoutMs: settings.startTimeoutMs,
    store,
    gate,
    consequences: starts.started,
    workPayload: () => services.workPayload(address),
    use: childUse,
  });
  const children = new Children({
    clock,
    store,
    whileUnavailable: whileHeld,
    catalog: definitions.catalog,
    nameOf: (workflow) => given.registry.nameOf(workflow),
    runner: given.runner,
    starter: childStarter,
    settler: completion.settler,
    steps: waits.steps,
    retried: (id, workflow, dueInMs) => {
      control.control.told('retry', id, workflow);
      later.wakeUps.executionDueIn(dueInMs);
    },
  });
  return { childStarter, children };
}
