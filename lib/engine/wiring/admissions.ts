import { ExecutionAdmitter } from '../admission/execution-admitter.js';
import type { ControlRoom } from './control.js';
import type { EngineCore } from './core.js';
import type { DefinitionsRoom } from './definitions.js';

export type AdmissionsRoom = ReturnType<typeof wireAdmissions>;

/** The admission of whole executions. */
export function wireAdmissions(
  core: EngineCore,
  { catalog }: DefinitionsRoom,
  { control }: ControlRoom,
) {
  const { store, clock, tenant, state, later } = core;
  const admitter = new ExecutionAdmitter({
    clock,
    tenant,
    state,
    store,
    catalog,
    cancel: async (id, reason) => (await control.cancel(id, reason, false)).changed,
    admitted: (executions) => {
      const limitKeys = new Set(executions.flatMap((execution) => execution.limitKeys));
      if (limitKeys.size > 0) later.limited.ready([...limitKeys]);
      const own = new Set(catalog.claimable.ids);
      const here = state.mayClaim
        ? executions.filter(({ definitionId }) => own.has(definitionId))
        : [];
      const tasksOf = (of: readonly { readonly tasks: number }[]): number =>
        of.reduce((sum, { tasks }) => sum + tasks, 0);
      if (here.length > 0) later.wakeUps.leftHere(tasksOf(here));
      if (here.length < executions.length) {
        later.wakeUps.wakeWorkers(tasksOf(executions) - tasksOf(here));
      }
    },
  });
  return { admitter };
}
