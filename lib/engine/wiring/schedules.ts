import { BackfillRunner } from '../schedules/backfill-runner.js';
import { HistoryPruner } from '../schedules/history-pruner.js';
import { ScheduleFirer } from '../schedules/schedule-firer.js';
import { ScheduleReconciler } from '../schedules/schedule-reconciler.js';
import { ScheduleResumer } from '../schedules/schedule-resumer.js';
import { StartedFirings } from '../schedules/started-firings.js';
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
    lookIn: (inMs) => services.schedule({ kind: 'schedule', tenant: address, inMs }),
  });
  const mayFire = (): boolean => state.name === 'claiming' || state.name === 'paused';
  const historyPruner = new HistoryPruner({ clock, tenant, store, catalog, mayPrune: mayFire });
  const firings = new StartedFirings({
    tenant,
    consequences: started,
    recorded: () => historyPruner.recorded(),
  });
  const firer = new ScheduleFirer({
    clock,
    tenant,
    store,
    catalog,
    runner: given.runner,
    mayFire,
    reconcile: () => reconciler.run(),
    mendLeft: () => reconciler.mendLeft(),
    started: firings,
    telemetry: core.telemetry,
  });
  const { runner } = given;
  const schedules = new TenantSchedules({
    clock,
    address,
    store,
    services,
    firer,
    manual: {
      tenant,
      store,
      runner,
      reconcileFirst: () => firer.reconcileFirst(),
      started: firings,
    },
    reconciler,
    resumer: new ScheduleResumer({ tenant, store, runner, started: firings }),
    backfills: new BackfillRunner({ store, runner, started: firings }),
  });
  return { firer, historyPruner, schedules };
}
