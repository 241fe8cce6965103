import { Logger } from '@nestjs/common';

/** Interval at which the log repeats the report while requests wait, in milliseconds. */
const REPORT_EVERY_MS = 60_000;

export interface ConnectionWaitReportParts {
  /** The request that has waited longest. Undefined if none waits. */
  readonly longest: () => { readonly tenant: string; readonly since: number } | undefined;
  /** The schemas of the connections in use, one entry per connection. */
  readonly holders: () => Iterable<string>;
  /** How long a request waits before it is reported, in milliseconds. */
  readonly afterMs: number;
}

/**
 * Logs that user code waits for a connection, and which tenants use all of them. Without the report, a handler that never
 * releases a query runner would silently stop the other tenants.
 */
export class ConnectionWaitReport {
  private readonly logger = new Logger('Cloacina');
  private timer: NodeJS.Timeout | undefined;
  private reportedAt = -Infinity;

  constructor(private readonly parts: ConnectionWaitReportParts) {}

  /** Called when a request has to wait. */
  watch(): void {
    this.timer ??= setTimeout(() => this.look(), this.parts.afterMs).unref();
  }

  private look(): void {
    this.timer = undefined;
    const longest = this.parts.longest();
    if (longest === undefined) return;
    const now = performance.now();
    const waitedMs = now - longest.since;
    if (waitedMs >= this.parts.afterMs && now - this.reportedAt >= REPORT_EVERY_MS) {
      this.reportedAt = now;
      this.report(longest.tenant, waitedMs);
    }
    this.watch();
  }

  private report(tenant: string, waitedMs: number): void {
    const counts = new Map<string, number>();
    for (const holder of this.parts.holders()) counts.set(holder, (counts.get(holder) ?? 0) + 1);
    const total = [...counts.values()].reduce((sum, count) => sum + count, 0);
    const holders = [...counts].map(([holder, count]) => `"${holder}" (${count})`).join(', ');
    this.logger.warn(
      `Schema "${tenant}": a handler or query has waited ${Math.round(waitedMs / 1_000)} s for a connection. The ${total} ` +
        `connections in use by handlers and data sources belong to the schemas ${holders}. Release every query runner, keep ` +
        'transactional tasks short, or raise poolSize.',
    );
  }
}
