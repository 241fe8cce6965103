import { ScheduleReconciler } from '../schedules/schedule-reconciler.js';
import { ScheduleFirer } from '../schedules/schedule-firer.js';
import type { EngineCore } from './core.js';
import type { DefinitionsRoom } from './definitions.js';
import type { StartsRoom } from './starts.js';

export type SchedulesRoom = ReturnType<typeof wireSchedules>;

/** Schedules, which start executions at their times. */
export function wireSchedules(
  core: EngineCore,
  { catalog }: DefinitionsRoom,
  { started }: StartsRoom,
) {
  const { given, store, clock, tenant, state } = core;
  const reconciler = new ScheduleReconciler({
    clock,
    tenant,
    store,
    workflows: () => given.registry.list().filter(given.serves),
  });
  const firer = new ScheduleFirer({
    clock,
    tenant,
    store,
    catalog,
    runner: given.runner,
    mayFire: () => state.name === 'claiming' || state.name === 'paused',
    reconcile: () => reconciler.run(),
    consequences: started,
  });
  return { firer, declaresSchedules: () => reconciler.declared.length > 0 };
}
