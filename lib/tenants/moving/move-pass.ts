import type pg from 'pg';
import { untraced } from '../../runtime/untraced.js';
import { readTenantStates } from './move-state.js';

/** A tenant of the pass. */
export interface MovableTenant {
  readonly settings: { readonly schema: string };
  /** Whether notifications of other processes reach this process. */
  readonly hearsNotifications: boolean;
  readonly isMoving: boolean;
  onMove: () => void;
}

export interface MovePassOptions {
  readonly pool: () => pg.Pool;
  readonly tenants: (names: readonly string[]) => readonly MovableTenant[];
  readonly all: () => readonly MovableTenant[];
}

/**
 * A pass of the maintenance sweep: looks which tenants move to another server, in case a notification was lost.
 *
 * It reads one row of each tenant that was served when a session was lost, and in each round of a process that hears no
 * notifications, with one statement for a part of the round. The boot has read the rows of the others.
 */
export class MovePass {
  readonly nextLookAt = undefined;
  private readonly doubtful = new WeakSet<MovableTenant>();

  constructor(private readonly options: MovePassOptions) {}

  /** Call when a session was opened: the process may have missed notifications. */
  connected(): void {
    for (const tenant of this.options.all()) this.doubtful.add(tenant);
  }

  async over(names: readonly string[]): Promise<void> {
    const asked = this.options
      .tenants(names)
      .filter((tenant) => this.doubtful.has(tenant) || !tenant.hearsNotifications);
    if (asked.length === 0) return;
    const schemas = asked.map(({ settings }) => settings.schema);
    const rows = await untraced(() => readTenantStates(this.options.pool(), schemas));
    for (const [i, tenant] of asked.entries()) {
      this.doubtful.delete(tenant);
      const state = rows[i]?.state;
      const isStill = state === 'live' || state === 'copying';
      // A schema that can't be read concerns recovery, which reports it.
      if (state !== undefined && isStill === tenant.isMoving) tenant.onMove();
    }
  }

  async look(): Promise<void> {
    // Nothing of this can't wait for the next round.
  }
}
