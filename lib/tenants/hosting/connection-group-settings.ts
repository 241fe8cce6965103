import { Logger } from '@nestjs/common';
import {
  unusedApplicationName,
  type ControlledSource,
} from '../../store/postgres/connections/connection-config.js';
import { APPLICATION_PREFIX } from '../../store/postgres/session/session-statements.js';

export interface ConnectionGroupSettings extends ControlledSource {
  /** The name of the server. Absent if forRoot names no servers. */
  readonly server?: string;
  /** Whether to keep a control connection beside the pool. If false, leases alone show which processes live. */
  readonly controlConnection: boolean;
  readonly poolSize: number;
  /** Whether `poolSize` is the default. Then it is a maximum, and the processes share the server's connections. */
  readonly poolSizeIsDefault?: boolean;
  readonly leaseDurationMs: number;
}

/**
 * How long a control connection may take to answer, in ms: short enough to renew the leases on a new connection in
 * time.
 */
export function answerTimeout(leaseDurationMs: number): number {
  return Math.min(10_000, Math.max(1_000, Math.floor(leaseDurationMs / 4)));
}

const warnedNames = new Set<string>();

/** Warns once per unused name, because its owner would look in vain for it in pg_stat_activity. */
export function warnOfUnusedName(settings: ConnectionGroupSettings): void {
  const name = unusedApplicationName(settings);
  if (name === undefined || warnedNames.has(name)) return;
  warnedNames.add(name);
  new Logger('Cloacina').warn(
    `The application name ${JSON.stringify(name)} is not used: connections are named "${APPLICATION_PREFIX}<process>", so ` +
      'that other processes can detect whether this one lives. Remove it from the connection options, the URL or PGAPPNAME.',
  );
}
