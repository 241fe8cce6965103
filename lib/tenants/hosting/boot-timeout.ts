import type { ResolvedTenantOptions } from '../../options/index.js';

/** How long a boot waits for a database that doesn't answer, in milliseconds. */
export const BOOT_TIMEOUT_MS = 60_000;

/** How long a boot waits for a server, in milliseconds. If it goes on without it, no longer than a start would. */
export function bootTimeout({ mayBeAway, startTimeoutMs }: ResolvedTenantOptions): number {
  return mayBeAway === true ? startTimeoutMs : BOOT_TIMEOUT_MS;
}
