import { Logger } from '@nestjs/common';
import type pg from 'pg';
import { optionsAt, type ResolvedTenantOptions } from '../../options/index.js';
import type { Clock } from '../../runtime/clock.js';
import type { KeyedMutex } from '../../runtime/keyed-mutex.js';
import { untraced } from '../../runtime/untraced.js';
import { MoveFollower } from '../moving/move-follower.js';
import { readTenantRow, undoAbandonedStop } from '../moving/move-state.js';
import { TenantLocator, unknownServer } from '../moving/tenant-locator.js';
import type { ConnectionGroups } from './connection-groups.js';
import type { TenantBootstrapper } from './tenant-bootstrapper.js';
import type { TenantRuntime } from './tenant-runtime.js';
import type { TenantsInUse } from './tenants-in-use.js';

export interface RuntimeMovesParts {
  readonly clock: Clock;
  readonly logins: Pick<ConnectionGroups, 'acquire' | 'release'>;
  readonly inUse: TenantsInUse;
  /** The turns of the tenants' names. */
  readonly turns: KeyedMutex;
  readonly opener: () => Pick<TenantBootstrapper, 'activate'>;
  /** The open tenant of a name. */
  readonly runtime: (name: string) => TenantRuntime | undefined;
  /** Closes a discovered tenant, because another one takes precedence. */
  readonly giveWay: (runtime: TenantRuntime) => Promise<void>;
  /** Whether the process lets its tenants claim. */
  readonly isClaiming: () => boolean;
}

/** Finds the servers on which tenants live, and changes the server of those that have moved. */
export class RuntimeMoves {
  private readonly logger = new Logger('CloacinaTenants');
  private readonly locator: TenantLocator;

  constructor(private readonly parts: RuntimeMovesParts) {
    this.locator = new TenantLocator(parts.clock);
  }

  /** The tenant's options on the server on which it lives. See {@link TenantLocator.locate}. */
  locate(options: ResolvedTenantOptions): Promise<ResolvedTenantOptions> {
    return this.locator.locate(options);
  }

  /** Serves a tenant where it lives. False if this process does so already. */
  async relocate(runtime: TenantRuntime): Promise<boolean> {
    const { logins } = this.parts;
    const { options, group } = runtime;
    const at = await this.locate(options);
    if (at.server === options.server) return false;
    const next = logins.acquire(at);
    try {
      await this.take(runtime, at, () => runtime.moveTo(at, next));
    } catch (error) {
      await logins.release(next);
      throw error;
    }
    this.logger.log(
      `Tenant "${options.tenant}": it lives on server "${at.server ?? ''}" now, and is served there.`,
    );
    // Its statements under way may still end. None of them can write.
    void logins.release(group).catch(() => undefined);
    return true;
  }

  /** Takes the tenant's place on another server for `work`, and gives it back if that fails. */
  private async take(
    runtime: TenantRuntime,
    at: ResolvedTenantOptions,
    work: () => Promise<void>,
  ): Promise<void> {
    const { inUse, giveWay } = this.parts;
    const { options } = runtime;
    const there = this.parts.runtime(inUse.onSchema(at)?.tenant ?? '');
    if (there !== undefined && there !== runtime) await giveWay(there);
    inUse.move(options, at);
    try {
      await work();
    } catch (error) {
      inUse.move(at, options);
      throw error;
    }
  }

  followerOf(runtime: TenantRuntime): MoveFollower {
    const { opener, isClaiming, turns } = this.parts;
    const { tenant, schema, startTimeoutMs: timeoutMs } = runtime.options;
    const pool = (): pg.Pool => runtime.group.pools.general;
    const isOpen = (): boolean => this.parts.runtime(tenant) === runtime && !runtime.isDraining;
    return new MoveFollower({
      clock: this.parts.clock,
      tenant,
      timeoutMs,
      read: () => untraced(() => readTenantRow(pool(), schema)),
      stop: () => runtime.engine.stopForMove(),
      goOn: async () => {
        if (runtime.needsActivation && isClaiming()) await opener().activate(runtime, timeoutMs);
        runtime.engine.goOnAfterMove();
      },
      undo: ({ moveId, peer }) =>
        onClient(pool(), (client) =>
          undoAbandonedStop(client, { schema, moveId: moveId ?? '', peer: peer ?? '' }),
        ),
      // An opening that waits for a look must not be waited for.
      follow: async (row) => {
        const peer = row?.state === 'moved' ? (row.peer ?? '') : undefined;
        if (peer !== undefined && optionsAt(runtime.options, peer) === undefined)
          throw unknownServer(runtime.options, peer);
        return isOpen() && turns.run(tenant, async () => isOpen() && this.relocate(runtime));
      },
    });
  }
}

async function onClient<T>(pool: pg.Pool, work: (client: pg.PoolClient) => Promise<T>): Promise<T> {
  return untraced(async () => {
    const client = await pool.connect();
    try {
      return await work(client);
    } finally {
      client.release();
    }
  });
}
