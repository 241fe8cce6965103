import type { TenantEngine } from '../../engine/tenant-engine.js';
import type { ServingRow, TenantProcesses } from '../../store/port/index.js';
import { READABLE_FORMATS, type CompiledWorkflow } from '../../workflow/index.js';

/**
 * Adds this process to those that serve the tenant, as it knows itself: its row is written a moment after a change, and not at
 * all if the database is read-only.
 */
export function withOwnProcess(
  engine: TenantEngine,
  { serving, owners }: TenantProcesses,
  { name: workflow }: Pick<CompiledWorkflow, 'name'>,
): TenantProcesses {
  const { processId, name } = engine.self.facts;
  const announced = serving.find((process) => process.processId === processId);
  const { catalog } = engine;
  const { announcement } = engine.self;
  if (announcement === undefined) return { serving, owners };
  const { state, slots, limits } = announcement;
  if (announced !== undefined) {
    const own = { ...announced, state, slots, isAway: false };
    return { serving: serving.map((one) => (one === announced ? own : one)), owners };
  }
  const known = catalog.currentOf(workflow)?.workflow;
  const own: ServingRow = {
    processId,
    name,
    state,
    slots,
    format: Math.max(...READABLE_FORMATS),
    isAway: false,
    since: new Date(engine.clock.wallTime()),
    workflows: catalog.ownNames,
    limits,
    taskNames: known === undefined ? null : known.tasks.map((task) => task.name),
  };
  return { serving: [own, ...serving], owners };
}
