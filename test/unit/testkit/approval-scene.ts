import { Injectable } from '@nestjs/common';
import { defineSignal, Schedule, Task, Workflow, type TaskContext } from 'nestjs-cloacina';

export const Approval = defineSignal<{ approved: boolean }>('approval');

/** What the handlers have done outside, in order, with the time of the test. */
@Injectable()
export class Ledger {
  readonly lines: string[] = [];
  /** Number of calls of `charge` that fail before one succeeds. */
  failures = 0;
}

/** An order that is charged with retries, waits for an approval of two weeks, and is shipped. */
@Workflow({ name: 'order' })
export class Order {
  constructor(private readonly ledger: Ledger) {}

  @Task({
    retry: { maxAttempts: 5, backoff: 'exponential', delay: '10m', maxDelay: '30m', jitter: false },
  })
  charge(context: TaskContext): { receipt: string } {
    this.ledger.lines.push(`charge ${context.attempt}`);
    if (context.attempt <= this.ledger.failures) throw new RangeError('The bank is closed.');
    return { receipt: `r-${String(context.get('orderId'))}` };
  }

  @Task({ dependsOn: ['charge'] })
  async approve(context: TaskContext): Promise<{ approved: boolean }> {
    const answer = await context.waitFor(Approval, { timeout: '14d' });
    return { approved: answer?.approved ?? false };
  }

  @Task({ dependsOn: ['approve'] })
  ship(): { parcel: string } {
    this.ledger.lines.push('ship');
    return { parcel: 'p-1' };
  }
}

/** Runs each night. */
@Workflow({ name: 'nightly' })
@Schedule('0 2 * * *', { timezone: 'UTC' })
export class Nightly {
  constructor(private readonly ledger: Ledger) {}

  @Task()
  report(context: TaskContext): void {
    const day = context.schedule?.scheduledAt.toISOString().slice(0, 10);
    this.ledger.lines.push(`report ${String(day)}`);
  }
}
