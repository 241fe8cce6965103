import { encodeNotification, type Notification } from './notification.js';

/**
 * Sends notifications to the other processes, in batches and one statement at a time. It never sends within a hot
 * transaction, because a NOTIFY makes commits wait for each other. A lost notification only costs latency.
 */
export class Notifier {
  private readonly due = new Set<string>();
  private sending = false;

  constructor(
    /** Returns undefined while there is no connection to send on. Then the notifications are dropped. */
    private readonly send: (payloads: readonly string[]) => Promise<void> | undefined,
  ) {}

  notify(notification: Notification): void {
    this.due.add(encodeNotification(notification));
    if (!this.sending) void this.flush();
  }

  private async flush(): Promise<void> {
    this.sending = true;
    await Promise.resolve();
    while (this.due.size > 0) {
      const payloads = [...this.due];
      this.due.clear();
      try {
        await this.send(payloads);
      } catch {
        // The connection failed. The other processes find the work in their next sweep.
      }
    }
    this.sending = false;
  }
}
