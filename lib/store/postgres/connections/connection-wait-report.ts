import { Logger } from '@nestjs/common';

/** The log says it again after this time, in milliseconds, as long as requests wait. */
const REPORT_EVERY_MS = 60_000;

export interface ConnectionWaitReportParts {
  /** The request that has waited for the longest; undefined when none waits. */
  readonly longest: () => { readonly tenant: string; readonly since: number } | undefined;
  /** The schemas whose code has a connection, each as often as it has one. */
  readonly holders: () => Iterable<string>;
  /** How long a request waits before the log tells, in milliseconds. */
  readonly afterMs: number;
}

/**
 * Says in the log that user code waits for a connection, and which tenants have them all: a handler that never releases a
 * query runner would stop the others in silence.
 */
export class ConnectionWaitReport {
  private readonly logger = new Logger('Cloacina');
  private timer: NodeJS.Timeout | undefined;
  private reportedAt = -Infinity;

  constructor(private readonly parts: ConnectionWaitReportParts) {}

  /** A request waits. */
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
