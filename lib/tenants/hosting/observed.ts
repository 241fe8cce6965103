import type { SlotScheduler } from '../../engine/slots/slot-scheduler.js';
import type { PoolUse, TelemetrySource } from '../../events/telemetry.js';
import type { ConnectionGroups } from './connection-groups.js';

/** What collections of metrics read of a process. Logins are summed up: there may be one for each tenant. */
export function observed(slots: SlotScheduler, logins: ConnectionGroups): TelemetrySource {
  return {
    slots: () => ({ limit: slots.limit, running: slots.running, queued: slots.queued }),
    pools: () => (['statements', 'general'] as const).map((name) => poolUse(name, logins)),
    backlog: async () => {
      const found = await Promise.all(logins.list().map(({ process }) => process.backlog()));
      return found.flat();
    },
  };
}

function poolUse(name: 'general' | 'statements', logins: ConnectionGroups): PoolUse {
  const sum = { name: `cloacina/${name}`, max: 0, used: 0, idle: 0, pending: 0 };
  for (const { pools } of logins.list()) {
    const { max, used, idle, pending } = pools.turns[name].use;
    sum.max += max;
    sum.used += used;
    sum.idle += idle;
    sum.pending += pending;
  }
  return sum;
}
