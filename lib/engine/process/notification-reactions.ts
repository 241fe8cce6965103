import { decodeNotification, type WorkNotification } from './notification.js';
import { MergedCalls, type ReactionLimit } from '../../runtime/merged-calls.js';
import type { TenantEngine } from '../tenant-engine.js';
import type { Clock } from '../../runtime/clock.js';

/** Maximum length of the library's payloads. Longer ones are ignored. */
const MAX_PAYLOAD = 64;
/** Limits of reactions that read the locks of all processes, and the catalog. */
const PROCESSES: ReactionLimit = { burst: 5, intervalMs: 400 };
const TENANTS: ReactionLimit = { burst: 5, intervalMs: 500 };
/** Limit of claims. Senders have a limit of their own: one work notification in 50 ms. */
const WORK: ReactionLimit = { burst: 20, intervalMs: 25 };
/** Limit of wake-ups that are passed on. */
const PASSED_ON: ReactionLimit = { burst: 5, intervalMs: 100 };
/** Maximum number of unknown tenants whose wake-ups wait to be passed on. */
const MAX_UNKNOWN = 20;
/** Limit of looks for signals and events that were sent in transactions. */
const MESSAGES: ReactionLimit = { burst: 50, intervalMs: 10 };
/** Limit of reads of paused workflows. */
const PAUSES: ReactionLimit = { burst: 10, intervalMs: 100 };
/** Limit of looks whether a tenant moves to another server. */
const MOVES: ReactionLimit = { burst: 10, intervalMs: 100 };
/** Limit of looks for schedules that others have changed. */
const SCHEDULES: ReactionLimit = { burst: 10, intervalMs: 100 };
/** Limits of reactions that wake waiting callers, and that read the claims of the process. */
const ENDED: ReactionLimit = { burst: 50, intervalMs: 20 };
const CLAIMS: ReactionLimit = { burst: 10, intervalMs: 100 };

export interface NotificationReactionsOptions {
  readonly clock: Clock;
  /** Finds a tenant by the address in a notification. */
  readonly tenant: (address: string) => TenantEngine | undefined;
  /** Called when processes have joined or are lost. */
  readonly onProcesses: () => unknown;
  readonly onTenants: () => unknown;
  /** Called when leases were announced. It must not send a statement, because its calls are not limited. */
  readonly onLeases: () => void;
  /** Called when a process has swept. It must not send a statement either. `sender` is the process's backend. */
  readonly onSwept: (digest: string, sender: number) => void;
  /** The tag by which other processes name this one; undefined without a lock. */
  readonly tag: () => string | undefined;
  /** Passes a wake-up on to all processes, because this one can't take the work. */
  readonly passOn: (address: string) => void;
  /** Called when another process has passed a wake-up on. */
  readonly onPassedOn: (address: string, tag: string) => void;
}

/**
 * Reacts to notifications. Every role of the database may write to the channel, as much and whatever it likes. So a
 * notification only makes the process read what the database says, and the reads are merged and rate-limited. From
 * notifications the process keeps no more than flags, ids of executions for which callers wait here, and a bounded number
 * of ids of executions that other processes watch.
 */
export class NotificationReactions {
  private readonly processes: MergedCalls;
  private readonly newTenants: MergedCalls;
  private readonly passedOn: MergedCalls;
  private readonly tenants = new Map<TenantEngine, TenantReactions>();
  /** Tenants that this process does not serve, although it was named for their work. */
  private readonly unknown = new Set<string>();

  constructor(private readonly options: NotificationReactionsOptions) {
    this.processes = new MergedCalls(options.onProcesses, PROCESSES, options.clock);
    this.newTenants = new MergedCalls(options.onTenants, TENANTS, options.clock);
    this.passedOn = new MergedCalls(() => this.passUnknownOn(), PASSED_ON, options.clock);
  }

  /** @param sender - the backend of the session that sent the notification; the server names it, so it is true */
  hear(payload: string, sender: number): void {
    if (payload.length > MAX_PAYLOAD) return;
    const notification = decodeNotification(payload);
    if (notification === undefined) return;
    if (notification.kind === 'processes') return this.processes.call();
    if (notification.kind === 'tenants') return this.newTenants.call();
    if (notification.kind === 'leases') return this.options.onLeases();
    if (notification.kind === 'swept') return this.options.onSwept(notification.digest, sender);
    if (notification.kind === 'work') return this.hearOfWork(notification);
    const tenant = this.options.tenant(notification.tenant);
    if (tenant === undefined) return;
    // Only remembered: the next round of the sweep reads.
    if (notification.kind === 'children') return tenant.childUse.notedElsewhere();
    const reactions = this.reactionsOf(tenant);
    if (notification.kind === 'messages') reactions.messages.call();
    else if (notification.kind === 'schedules') reactions.schedules.call();
    else if (notification.kind === 'pauses') reactions.pauses.call();
    else if (notification.kind === 'moves') reactions.moves.call();
    else reactions.hear(notification.kind, notification.executionId);
  }

  private hearOfWork({ tenant: address, named, passedOnBy }: WorkNotification): void {
    const tag = this.options.tag();
    const isNamed = tag !== undefined && named?.includes(tag) === true;
    if (named !== undefined && !isNamed) return;
    if (passedOnBy !== undefined && passedOnBy === tag) return;
    const tenant = this.options.tenant(address);
    if (tenant !== undefined) {
      // Only of a tenant that this process serves: any role can make up others, and each would be kept.
      if (passedOnBy !== undefined) this.options.onPassedOn(address, passedOnBy);
      const reactions = this.reactionsOf(tenant);
      if (isNamed) reactions.named.call();
      else reactions.work.call();
    } else if (isNamed && this.unknown.size < MAX_UNKNOWN) {
      this.unknown.add(address);
      this.passedOn.call();
    }
  }

  private passUnknownOn(): void {
    const addresses = [...this.unknown];
    this.unknown.clear();
    for (const address of addresses) this.options.passOn(address);
  }

  forget(tenant: TenantEngine): void {
    this.tenants.get(tenant)?.close();
    this.tenants.delete(tenant);
  }

  private reactionsOf(tenant: TenantEngine): TenantReactions {
    const known = this.tenants.get(tenant);
    if (known !== undefined) return known;
    const reactions = new TenantReactions(tenant, this.options);
    this.tenants.set(tenant, reactions);
    return reactions;
  }
}

/** The reactions of one tenant. */
class TenantReactions {
  /** For wake-ups of all processes, and for those that name this one. */
  readonly work: MergedCalls;
  readonly named: MergedCalls;
  private readonly passedOn: MergedCalls;
  readonly messages: MergedCalls;
  readonly schedules: MergedCalls;
  readonly pauses: MergedCalls;
  readonly moves: MergedCalls;
  private readonly ended: MergedCalls;
  private readonly cancelled: MergedCalls;
  private readonly paused: MergedCalls;
  /** Only executions for which callers wait in this process, so the set stays bounded. */
  private readonly endedIds = new Set<string>();

  constructor(
    private readonly tenant: TenantEngine,
    { clock, passOn }: NotificationReactionsOptions,
  ) {
    this.work = new MergedCalls(() => tenant.wakeUp(false), WORK, clock);
    this.named = new MergedCalls(() => this.wakeNamed(), WORK, clock);
    this.passedOn = new MergedCalls(() => passOn(tenant.settings.address), PASSED_ON, clock);
    this.messages = new MergedCalls(() => tenant.deliverMessages(), MESSAGES, clock);
    this.schedules = new MergedCalls(() => tenant.schedules.changedElsewhere(), SCHEDULES, clock);
    this.pauses = new MergedCalls(() => tenant.workflows.pauses.changedElsewhere(), PAUSES, clock);
    this.moves = new MergedCalls(() => tenant.onMove(), MOVES, clock);
    this.ended = new MergedCalls(() => this.tellEnded(), ENDED, clock);
    this.cancelled = new MergedCalls(() => tenant.reconcileClaims(), CLAIMS, clock);
    this.paused = new MergedCalls(() => tenant.control.findPaused(), CLAIMS, clock);
  }

  hear(kind: 'cancelled' | 'changed' | 'ended' | 'paused' | 'watched', executionId: string): void {
    const { changes, claims, waiters } = this.tenant;
    // Neither sends a statement: a watching process limits its reads, and watches of others are only remembered.
    if (kind === 'watched') return changes.watchedElsewhere(executionId);
    changes.changedElsewhere(executionId);
    if (kind === 'changed') return;
    if (kind !== 'paused' && waiters.isAwaited(executionId)) {
      this.endedIds.add(executionId);
      this.ended.call();
    }
    if (kind === 'ended' || !claims.isActive(executionId)) return;
    if (kind === 'cancelled') this.cancelled.call();
    else this.paused.call();
  }

  close(): void {
    const { work, named, messages, schedules, pauses, moves } = this;
    const { passedOn, ended, cancelled, paused } = this;
    const all = [
      work,
      named,
      messages,
      schedules,
      pauses,
      moves,
      passedOn,
      ended,
      cancelled,
      paused,
    ];
    for (const calls of all) calls.close();
  }

  private wakeNamed(): void {
    if (!this.tenant.wakeUp(true)) this.passedOn.call();
  }

  private tellEnded(): void {
    const ids = [...this.endedIds];
    this.endedIds.clear();
    for (const id of ids) this.tenant.waiters.ended(id);
  }
}
