import { AvailabilityRetry } from '../../runtime/availability-retry.js';
import { untraced } from '../../runtime/untraced.js';
import type { MoveProgress } from '../moving/move-options.js';
import { readMove, type TenantMove } from '../moving/tenant-move.js';
import type { TenantRuntime } from './tenant-runtime.js';

/** A move of a tenant that is not complete, as {@link CloacinaTenants.currentMove} returns it. */
export interface CurrentMove extends TenantMove {
  /**
   * When the processes of the tenant undo the stop if the process that moves it has ended. Absent unless the state is `stopping`.
   */
  readonly undoneAt?: Date;
  /** How far it is. Absent in other processes than that which moves the tenant with `CloacinaTenants.move`. */
  readonly progress?: MoveProgress;
}

/** What a move has left on the server from which it took the tenant, as {@link CloacinaTenants.leftCopies} lists it. */
export interface LeftCopy {
  /** The name of the tenant. */
  readonly tenant: string;
  /** The server that has the copy. */
  readonly server: string;
  /** Since when the tenant lives elsewhere, by the clock of that server. */
  readonly since: Date;
}

/** Reads the move of a tenant where this process serves it. It waits for no move, as other calls of the tenant do. */
export async function readCurrentMove(
  { options, group, engine, moves }: TenantRuntime,
  progress: MoveProgress | undefined,
): Promise<CurrentMove | null> {
  // Without servers that have names, no tenant moves. In memory there is no follower.
  if (options.server === undefined || moves === undefined) return null;
  const { tenant, schema, startTimeoutMs } = options;
  const retry = new AvailabilityRetry(tenant, engine.store, startTimeoutMs, engine.clock);
  const row = await retry.run(() => untraced(() => readMove(group.pools.general, schema)));
  if (row === undefined) return null;
  const { deadline, ...move } = row;
  return {
    ...move,
    ...(deadline === null ? {} : { undoneAt: deadline }),
    ...(progress === undefined ? {} : { progress }),
  };
}
