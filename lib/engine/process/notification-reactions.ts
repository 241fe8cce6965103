import { decodeNotification } from './notifier.js';
import { MergedCalls, type ReactionLimit } from '../../runtime/merged-calls.js';
import type { TenantEngine } from '../tenant-engine.js';
import type { Clock } from '../../runtime/clock.js';

/** No payload of the library is longer. */
const MAX_PAYLOAD = 64;
/** A look at the locks of all processes, and one at the catalog: two statements at most. */
const PROCESSES: ReactionLimit = { burst: 5, intervalMs: 400 };
const TENANTS: ReactionLimit = { burst: 5, intervalMs: 500 };
/** A claim; senders have a limit of their own, a work notification in 50 ms. */
const WORK: ReactionLimit = { burst: 20, intervalMs: 25 };
/** A status of each execution that is waited for; and a look at all claims of the process. */
const ENDED: ReactionLimit = { burst: 50, intervalMs: 20 };
const CLAIMS: ReactionLimit = { burst: 10, intervalMs: 100 };

export interface NotificationReactionsOptions {
  readonly clock: Clock;
  /** By the address that notifications carry. */
  readonly tenant: (address: string) => TenantEngine | undefined;
  readonly onProcessJoined: () => unknown;
  readonly onTenants: () => unknown;
}

/**
 * What the process does when it hears something on the channel. Every role of the database may write there, as much and
 * whatever it likes, so nothing is believed: a notification is a reason to look, the database says what is true. What is
 * kept of notifications is a flag, or the ids of executions that this process works on or waits for; and the looks are
 * merged and limited.
 */
export class NotificationReactions {
  private readonly processJoined: MergedCalls;
  private readonly newTenants: MergedCalls;
  private readonly tenants = new Map<TenantEngine, TenantReactions>();

  constructor(private readonly options: NotificationReactionsOptions) {
    this.processJoined = new MergedCalls(options.onProcessJoined, PROCESSES, options.clock);
    this.newTenants = new MergedCalls(options.onTenants, TENANTS, options.clock);
  }

  hear(payload: string): void {
    if (payload.length > MAX_PAYLOAD) return;
    const notification = decodeNotification(payload);
    if (notification === undefined) return;
    if (notification.kind === 'processJoined') return this.processJoined.call();
    if (notification.kind === 'tenants') return this.newTenants.call();
    const tenant = this.options.tenant(notification.tenant);
    if (tenant === undefined) return;
    const reactions = this.reactionsOf(tenant);
    if (notification.kind === 'work') reactions.work.call();
    else reactions.hear(notification.kind, notification.executionId);
  }

  forget(tenant: TenantEngine): void {
    this.tenants.get(tenant)?.close();
    this.tenants.delete(tenant);
  }

  private reactionsOf(tenant: TenantEngine): TenantReactions {
    const known = this.tenants.get(tenant);
    if (known !== undefined) return known;
    const reactions = new TenantReactions(tenant, this.options.clock);
    this.tenants.set(tenant, reactions);
    return reactions;
  }
}

/** Of one tenant. */
class TenantReactions {
  readonly work: MergedCalls;
  private readonly ended: MergedCalls;
  private readonly cancelled: MergedCalls;
  private readonly paused: MergedCalls;
  /** Executions that are waited for here: no more of them can come together than there are. */
  private readonly endedIds = new Set<string>();

  constructor(
    private readonly tenant: TenantEngine,
    clock: Clock,
  ) {
    this.work = new MergedCalls(() => tenant.claimAvailable(), WORK, clock);
    this.ended = new MergedCalls(() => this.tellEnded(), ENDED, clock);
    this.cancelled = new MergedCalls(() => tenant.reconcileClaims(), CLAIMS, clock);
    this.paused = new MergedCalls(() => tenant.control.findPaused(), CLAIMS, clock);
  }

  hear(kind: 'cancelled' | 'ended' | 'paused', executionId: string): void {
    const { claims, waiters } = this.tenant;
    if (kind !== 'paused' && waiters.isAwaited(executionId)) {
      this.endedIds.add(executionId);
      this.ended.call();
    }
    if (kind === 'ended' || !claims.isActive(executionId)) return;
    if (kind === 'cancelled') this.cancelled.call();
    else this.paused.call();
  }

  close(): void {
    for (const calls of [this.work, this.ended, this.cancelled, this.paused]) calls.close();
  }

  private tellEnded(): void {
    const ids = [...this.endedIds];
    this.endedIds.clear();
    for (const id of ids) this.tenant.waiters.ended(id);
  }
}
