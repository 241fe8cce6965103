import { tooBusy } from './problem.js';
import { ReadGate, type Waiting } from './read-gate.js';

/** The reads of one tenant. */
interface TenantQueue {
  busy: number;
  readonly waiting: (() => void)[];
}

export interface ReadLimits {
  /** How many reads are under way at a time, and how many of one tenant. */
  readonly total: number;
  readonly ofTenant: number;
  /** How many reads of a tenant may wait. */
  readonly waiting: number;
}

/**
 * Limits the reads that requests cause, so that pages never take the application's connections, and the pages of one tenant
 * never those of the others. A free slot goes to the tenant that has waited longest.
 */
export class ReadSlots implements Waiting {
  private busy = 0;
  /** Those with a read that waits or is under way. A tenant that gets a slot moves to the end. */
  private readonly queues = new Map<string, TenantQueue>();

  /** @param gate - limits these reads and others together */
  constructor(
    private readonly limits: ReadLimits,
    private readonly gate = new ReadGate(() => limits.total),
  ) {
    gate.join(this);
  }

  /** @throws DashboardProblem (503) if too many reads of the tenant wait */
  async run<T>(tenant: string, read: () => Promise<T>): Promise<T> {
    const queue = this.queues.get(tenant) ?? { busy: 0, waiting: [] };
    this.queues.set(tenant, queue);
    if (this.hasRoom && queue.busy < this.limits.ofTenant) {
      this.take(queue);
    } else {
      if (queue.waiting.length >= this.limits.waiting) throw tooBusy();
      await new Promise<void>((resolve) => queue.waiting.push(resolve));
    }
    try {
      return await read();
    } finally {
      this.busy--;
      queue.busy--;
      this.gate.leave();
      if (queue.busy === 0 && queue.waiting.length === 0) this.queues.delete(tenant);
    }
  }

  private get hasRoom(): boolean {
    return this.busy < this.limits.total && this.gate.hasRoom;
  }

  private take(queue: TenantQueue): void {
    this.busy++;
    queue.busy++;
    this.gate.enter(this);
  }

  next(): boolean {
    if (!this.hasRoom) return false;
    for (const [tenant, queue] of this.queues) {
      if (queue.busy >= this.limits.ofTenant) continue;
      const resolve = queue.waiting.shift();
      if (resolve === undefined) continue;
      this.take(queue);
      this.queues.delete(tenant);
      this.queues.set(tenant, queue);
      resolve();
      return true;
    }
    return false;
  }
}
