import { QueueFullError } from '../../errors/index.js';
import type { Clock } from '../../runtime/clock.js';
import type { QueueStore } from '../../store/port/index.js';

/** How long a count is used that was below the bound, in milliseconds, and one that was not. */
const FREE_MS = 1_000;
const FULL_MS = 250;

/** What is known of the queue of a workflow. */
interface Queue {
  /** The count that was read last, when its reading began, and whether a start was refused by it. */
  pending: number;
  countedAt: number;
  isFull: boolean;
  /** Number of starts of this process that were stored since. */
  stored: number;
  /** Number of starts of this process that are admitted and not yet stored. */
  underWay: number;
  counting: Promise<void> | undefined;
}

/** Call it once, when the start is stored or has failed. */
export type Admission = () => void;

/**
 * Admits starts of workflows with `maxPending`. It counts the Pending executions at most once a second, and adds the starts
 * of this process since. When the sum reaches the bound, it counts again: executions may have begun. So a start is refused
 * only by a count that is new.
 *
 * The bound is soft: what other processes start is seen by the next count.
 */
export class PendingBound {
  private readonly queues = new Map<string, Queue>();

  constructor(
    private readonly store: { readonly queues: Pick<QueueStore, 'pending'> },
    private readonly clock: Pick<Clock, 'now'>,
  ) {}

  /** @throws QueueFullError if the workflow has `max` Pending executions */
  async admit(workflow: string, max: number): Promise<Admission> {
    const queue = this.queueOf(workflow);
    let isNew = false;
    for (;;) {
      const age = this.clock.now() - queue.countedAt;
      const pending = queue.pending + queue.stored + queue.underWay;
      // A count that took longer than it may be used is still the newest one there is.
      if ((isNew || age <= FREE_MS) && pending < max) return this.admitted(queue);
      if (isNew || (queue.isFull && age <= FULL_MS)) {
        queue.isFull = true;
        throw new QueueFullError(workflow, Math.max(pending, max), max);
      }
      await this.count(workflow, queue, max);
      isNew = true;
    }
  }

  private admitted(queue: Queue): Admission {
    queue.underWay++;
    return () => {
      queue.underWay--;
      queue.stored++;
    };
  }

  private queueOf(workflow: string): Queue {
    let queue = this.queues.get(workflow);
    if (queue === undefined) {
      const empty = { pending: 0, stored: 0, underWay: 0, isFull: false };
      queue = { ...empty, countedAt: -Infinity, counting: undefined };
      this.queues.set(workflow, queue);
    }
    return queue;
  }

  /** Callers at the same time share a count. */
  private count(workflow: string, queue: Queue, max: number): Promise<void> {
    queue.counting ??= this.read(workflow, queue, max).finally(() => (queue.counting = undefined));
    return queue.counting;
  }

  private async read(workflow: string, queue: Queue, max: number): Promise<void> {
    const countedAt = this.clock.now();
    const before = queue.stored;
    queue.pending = await this.store.queues.pending(workflow, max);
    queue.countedAt = countedAt;
    queue.isFull = false;
    queue.stored -= before;
  }
}
