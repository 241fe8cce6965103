import { ScheduleReconciler } from '../schedules/schedule-reconciler.js';
import { ScheduledStarts } from '../schedules/scheduled-starts.js';
import { ScheduleFirer } from '../schedules/schedule-firer.js';
import { TenantSchedules } from '../schedules/tenant-schedules.js';
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
  const { given, store, services, clock, tenant, address, state } = core;
  const reconciler = new ScheduleReconciler({
    clock,
    tenant,
    store,
    workflows: () => given.registry.list().filter(given.serves),
  });
  const starts = new ScheduledStarts({ runner: given.runner, consequences: started });
  const firer = new ScheduleFirer({
    clock,
    tenant,
    store,
    catalog,
    starts,
    mayFire: () => state.name === 'claiming' || state.name === 'paused',
    reconcile: () => reconciler.run(),
    consequences: started,
  });
  const manual = { clock, tenant, store, starts, consequences: started };
  const schedules = new TenantSchedules({
    clock,
    address,
    store,
    services,
    firer,
    manual,
    reconciler,
  });
  return { firer, schedules };
}
