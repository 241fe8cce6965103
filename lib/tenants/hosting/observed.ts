import type { SlotScheduler } from '../../engine/slots/slot-scheduler.js';
import type { Backlog, PoolUse, TelemetrySource } from '../../events/telemetry.js';
import type { ConnectionGroup } from './connection-group.js';
import type { ConnectionGroups } from './connection-groups.js';

/** What collections of metrics read of a process. Logins are summed up for each
 * server: there may be one for each tenant. */
export function observed(slots: SlotScheduler, logins: ConnectionGroups): TelemetrySource {
  return {
    slots: () => ({ limit: slots.limit, running: slots.running, queued: slots.queued }),
    pools: () =>
      serversOf(logins).flatMap((server) =>
        (['statements', 'general'] as const).map((name) => poolUse(name, logins, server)),
      ),
    backlog: async () => {
      const found = await Promise.allSettled(logins.list().map(backlogOf));
      // A server that is away hides nothing of the others.
      const known = found.filter((one) => one.status === 'fulfilled');
      const [failure] = found.filter((one) => one.status === 'rejected');
      if (known.length === 0 && failure !== undefined) throw failure.reason;
      return known.flatMap(({ value }) => value);
    },
  };
}

async function backlogOf({ process, server }: ConnectionGroup): Promise<readonly Backlog[]> {
  const found = await process.backlog();
  return server === undefined ? found : found.map((one) => ({ ...one, server }));
}

/** The servers of the logins. One without a name, if forRoot names no servers. */
function serversOf(logins: ConnectionGroups): readonly (string | undefined)[] {
  const servers = new Set(logins.list().map(({ server }) => server));
  return servers.size === 0 ? [undefined] : [...servers];
}

function poolUse(
  name: 'general' | 'statements',
  logins: ConnectionGroups,
  server: string | undefined,
): PoolUse {
  const sum = {
    name: `cloacina/${name}`,
    ...(server === undefined ? {} : { server }),
    max: 0,
    used: 0,
    idle: 0,
    pending: 0,
  };
  for (const { pools } of logins.list().filter((one) => one.server === server)) {
    const { max, used, idle, pending } = pools.turns[name].use;
    sum.max += max;
    sum.used += used;
    sum.idle += idle;
    sum.pending += pending;
  }
  return sum;
}
