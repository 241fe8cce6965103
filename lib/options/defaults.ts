/** Connections of the pool that all tenants on one login share. */
export const DEFAULT_POOL_SIZE = 10;
/** User code may hold all connections but two, so that the library always gets on; and must be able to hold one. */
export const MIN_POOL_SIZE = 3;
/** Tasks that run at once in a process. */
export const DEFAULT_PROCESS_CONCURRENCY = 100;
/** Tasks of one tenant that run at once in a process. */
export const DEFAULT_TENANT_CONCURRENCY = 10;
/** How often a task is taken over from lost processes before it is given up. */
export const DEFAULT_MAX_RECOVERY_ATTEMPTS = 3;
export const DEFAULT_LEASE_DURATION_MS = 30_000;
/** Shorter leases would be lost to a busy event loop. */
export const MIN_LEASE_DURATION_MS = 1_000;
/** Longer ones are slips: nothing is recovered from a hung process for as long. */
export const MAX_LEASE_DURATION_MS = 3_600_000;
export const DEFAULT_SHUTDOWN_TIMEOUT_MS = 30_000;
export const DEFAULT_START_TIMEOUT_MS = 10_000;
/** How long a handler keeps its slot after its signal aborted. */
export const DEFAULT_HANDLER_GRACE_MS = 30_000;
/** Handlers that heed their signals need a moment for it. */
export const MIN_HANDLER_GRACE_MS = 100;
/** What setTimeout can wait for; a longer delay would fire at once. */
export const MAX_TIMER_MS = 2 ** 31 - 1;
/** Bytes of JSON: 1 MiB. */
export const DEFAULT_MAX_CONTEXT_SIZE = 1_048_576;
/** Bytes: PostgreSQL's limit on the strings and containers of a jsonb value. */
export const MAX_CONTEXT_SIZE_LIMIT = 2 ** 28 - 1;
export const DEFAULT_SCHEMA = 'public';
