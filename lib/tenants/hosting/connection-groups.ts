import type { SlotScheduler } from '../../engine/slots/slot-scheduler.js';
import { loginKey } from '../../store/postgres/connections/connection-config.js';
import type { Clocks } from '../../store/postgres/clocks.js';
import { ConnectionGroup } from './connection-group.js';
import type { ConnectionGroupSettings } from './connection-group-settings.js';
import type { StorageOverride } from './storage-override.js';

/**
 * How long to wait for a login's connections to close, in milliseconds. A handler that ignores its signal may keep one.
 */
const CLOSE_TIMEOUT_MS = 5_000;

/** The same while the database is unreachable, in milliseconds: no connection can be closed in an orderly way. */
const AWAY_CLOSE_TIMEOUT_MS = 100;

/** The connection groups of a process, one per login: opened for the login's first tenant, closed with its last. */
export class ConnectionGroups {
  private readonly open = new Map<string, { readonly group: ConnectionGroup; users: number }>();

  constructor(
    private readonly slots: SlotScheduler,
    private readonly clocks: Clocks,
    private readonly storage?: StorageOverride,
  ) {}

  /** The login's group. It stays open until {@link release} has been called as often as this method. */
  acquire(settings: ConnectionGroupSettings): ConnectionGroup {
    const key = `${settings.server ?? ''} ${loginKey(settings)}`;
    const known = this.open.get(key);
    if (known !== undefined) {
      known.users++;
      known.group.admit(settings);
      return known.group;
    }
    const group = new ConnectionGroup(settings, this.slots, this.clocks, this.storage);
    this.open.set(key, { group, users: 1 });
    return group;
  }

  /** Closes the pools and the control connection if no other tenant uses them. */
  async release(group: ConnectionGroup): Promise<void> {
    for (const [key, entry] of this.open) {
      if (entry.group !== group) continue;
      if (--entry.users > 0) return;
      this.open.delete(key);
      await closeInTime(group);
    }
  }

  list(): ConnectionGroup[] {
    return [...this.open.values()].map(({ group }) => group);
  }

  async close(): Promise<void> {
    const logins = this.list();
    this.open.clear();
    await Promise.all(logins.map(closeInTime));
  }
}

/**
 * Closes a group, but does not wait forever: a handler that ignores its signal may never return its connection to the
 * pool.
 */
async function closeInTime(group: ConnectionGroup): Promise<void> {
  const timeout = new AbortController();
  await Promise.race([
    group.close().catch(() => undefined),
    group.clocks.process.sleep(
      group.isAway ? AWAY_CLOSE_TIMEOUT_MS : CLOSE_TIMEOUT_MS,
      timeout.signal,
    ),
  ]);
  timeout.abort();
}
