import type { LeaseWrite } from '../../store/port/index.js';
import type { TenantLease } from '../lease/tenant-lease.js';
import type { TenantQueue } from '../slots/tenant-queue.js';
import type { ClaimsInFlight } from './claims-in-flight.js';

/** Sends a statement that claims `room` tasks at most, and writes the lease if `lease` says so. */
export type ClaimingStatement<Reply> = (lease: LeaseWrite, room: number) => Promise<Reply>;

/**
 * The one way to a statement that may claim. Each goes through the same steps:
 *
 * reserve room → under way → lease → statement → lease written → follow the reply → landed → give the room back.
 *
 * Under way: a comparison of the database with memory waits for it, because its claims are in the database first. A
 * statement that got no room claims nothing, and writes no lease.
 */
export class ClaimGate {
  constructor(
    private readonly queue: TenantQueue,
    private readonly lease: TenantLease,
    private readonly inFlight: ClaimsInFlight,
  ) {}

  /**
   * A statement that is committed by itself. `follow` takes its claims into memory, while their room is still reserved.
   *
   * @param wanted - tasks that it would claim; it gets room for as many of them as there is
   */
  async withRoom<Reply, T>(
    wanted: number,
    statement: ClaimingStatement<Reply>,
    follow: (reply: Reply, room: number) => T | Promise<T>,
  ): Promise<T> {
    const room = this.queue.reserve(wanted);
    try {
      return await this.send(
        room > 0,
        (lease) => statement(lease, room),
        (reply) => follow(reply, room),
      );
    } finally {
      this.queue.unreserve(room);
    }
  }

  /**
   * A statement whose claims get their slots later, or never: they take no room.
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
   * A statement inside a transaction, which the caller keeps {@link underWay} until it has followed the reply. The lease
   * that was written with it stands with the commit only, so the next renewal finds it; a rollback takes it along.
   */
  async inTransaction<Reply>(wanted: number, statement: ClaimingStatement<Reply>): Promise<Reply> {
    const room = this.queue.reserve(wanted);
    try {
      return await statement(this.leaseFor(room > 0), room);
    } finally {
      this.queue.unreserve(room);
    }
  }

  /** For claims that are followed after their statement. Call the function that it returns at the end, once. */
  underWay(): () => void {
    return this.inFlight.begin();
  }

  /** What new work may want: half of the room is for what is known to wait, and all of it where there is little. */
  besideBacklog(wanted: number): number {
    const { hasBacklog, capacity } = this.queue;
    return hasBacklog ? Math.min(wanted, capacity >> 1) : wanted;
  }

  /** For a statement that claims nothing, and names its process all the same. */
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
    try {
      const reply = await statement(lease);
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
