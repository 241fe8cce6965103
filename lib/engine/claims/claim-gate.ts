import type { LeaseWrite } from '../../store/port/index.js';
import type { TenantLease } from '../lease/tenant-lease.js';
import type { TenantQueue } from '../slots/tenant-queue.js';
import type { Clock } from '../../runtime/clock.js';
import type { ClaimsInFlight } from './claims-in-flight.js';

/** Sends a statement that claims at most `room` tasks, and writes the lease if `lease` says so. */
export type ClaimingStatement<Reply> = (lease: LeaseWrite, room: number) => Promise<Reply>;

/**
 * Sends every statement that may claim tasks. Each goes through the same steps:
 *
 * reserve room → under way → lease → statement → lease written → follow the reply → landed → unreserve the room.
 *
 * A comparison of the database with memory waits for statements that are under way, because their claims reach the
 * database before they reach memory. A statement without room claims nothing and writes no lease.
 */
export class ClaimGate {
  constructor(
    private readonly queue: TenantQueue,
    private readonly lease: TenantLease,
    private readonly inFlight: ClaimsInFlight,
    private readonly clock: Pick<Clock, 'now'>,
  ) {}

  /**
   * Sends a statement that commits by itself. `follow` adds its claims to memory while their room is still reserved.
   *
   * @param wanted - number of tasks that the statement would claim; it may get room for fewer
   * @param isHoped - whether the statement may find fewer tasks: see {@link TenantQueue.reserve}
   */
  async withRoom<Reply, T>(
    wanted: number,
    statement: ClaimingStatement<Reply>,
    follow: (reply: Reply, room: number) => T | Promise<T>,
    isHoped = false,
  ): Promise<T> {
    const room = this.queue.reserve(wanted, isHoped);
    try {
      return await this.send(
        room > 0,
        (lease) => statement(lease, room),
        (reply) => follow(reply, room),
      );
    } finally {
      this.queue.unreserve(room, isHoped);
    }
  }

  /**
   * Sends a statement whose claims need no room, because they get their slots later or never.
   *
   * @param follow - as for {@link withRoom}
   */
  withoutRoom<Reply, T>(
    statement: (lease: LeaseWrite) => Promise<Reply>,
    follow: (reply: Reply) => T | Promise<T>,
  ): Promise<T> {
    return this.send(true, statement, follow);
  }

  /**
   * Sends a statement inside a transaction. The caller keeps it {@link underWay} until it has followed the reply. A
   * lease that the statement wrote exists only after the commit, so the next renewal finds it; a rollback removes it.
   */
  async inTransaction<Reply>(wanted: number, statement: ClaimingStatement<Reply>): Promise<Reply> {
    const room = this.queue.reserve(wanted);
    try {
      return await statement(this.leaseFor(room > 0), room);
    } finally {
      this.queue.unreserve(room);
    }
  }

  /** For a caller that follows the reply itself. Call the returned function once, when the reply is followed. */
  underWay(): () => void {
    return this.inFlight.begin();
  }

  /** Limits the room of new work to half of the capacity if work waits in the database. */
  besideBacklog(wanted: number): number {
    const { hasBacklog, hasLimitedBacklog, capacity } = this.queue;
    return hasBacklog || hasLimitedBacklog ? Math.min(wanted, capacity >> 1) : wanted;
  }

  /** For a statement that claims nothing but has to name its process. */
  get withoutClaim(): LeaseWrite {
    return this.lease.withoutClaim();
  }

  private async send<Reply, T>(
    mayClaim: boolean,
    statement: (lease: LeaseWrite) => Promise<Reply>,
    follow: (reply: Reply) => T | Promise<T>,
  ): Promise<T> {
    const landed = this.inFlight.begin();
    const lease = this.leaseFor(mayClaim);
    const began = this.clock.now();
    try {
      const reply = await statement(lease);
      this.queue.observeRoundTrip(this.clock.now() - began);
      this.lease.written(lease);
      return await follow(reply);
    } finally {
      landed();
    }
  }

  private leaseFor(mayClaim: boolean): LeaseWrite {
    return mayClaim ? this.lease.forClaim() : this.lease.withoutClaim();
  }
}
