/** Default maximum number of connections in the pool that all tenants on one login share. */
export const DEFAULT_POOL_SIZE = 10;
/** User code may hold all but two connections, so that the library can always work. It needs at least one. */
export const MIN_POOL_SIZE = 3;
/** Default number of tasks that run at once in a process. */
export const DEFAULT_PROCESS_CONCURRENCY = 100;
/** Default number of tasks of one tenant that run at once in a process. */
export const DEFAULT_TENANT_CONCURRENCY = 10;
/** How often a task is taken over from lost processes before it is recorded as Failed. */
export const DEFAULT_MAX_RECOVERY_ATTEMPTS = 3;
export const DEFAULT_LEASE_DURATION_MS = 30_000;
/** Minimum lease, ms. A busy event loop would lose shorter leases. */
export const MIN_LEASE_DURATION_MS = 1_000;
/** Maximum lease, ms: as long as a hung process would keep its tasks. Longer values are typing mistakes. */
export const MAX_LEASE_DURATION_MS = 3_600_000;
export const DEFAULT_SHUTDOWN_TIMEOUT_MS = 30_000;
export const DEFAULT_START_TIMEOUT_MS = 10_000;
/** How long a handler keeps its slot after its signal was aborted, ms. */
export const DEFAULT_HANDLER_GRACE_MS = 30_000;
/** Minimum grace, ms: handlers that react to their signal need a moment to return. */
export const MIN_HANDLER_GRACE_MS = 100;
/** The longest delay of setTimeout, ms. A longer one would fire at once. */
export const MAX_TIMER_MS = 2 ** 31 - 1;
/** Default maximum size of a context, in bytes of JSON: 1 MiB. */
export const DEFAULT_MAX_CONTEXT_SIZE = 1_048_576;
/** The largest configurable context, in bytes: PostgreSQL's limit on strings and containers of a jsonb value. */
export const MAX_CONTEXT_SIZE_LIMIT = 2 ** 28 - 1;
/** Default maximum number of steps and waits of one task. */
export const DEFAULT_MAX_STEPS = 10_000;
/** The largest configurable number of steps: a run reads all of them at once. */
export const MAX_STEPS_LIMIT = 1_000_000;
/** Default maximum size of the results of all steps and waits of one task, in bytes of JSON: 32 MiB. */
export const DEFAULT_MAX_STEPS_SIZE = 33_554_432;
/** The largest configurable one, in bytes: 1 GiB, more than a process should hold for one task. */
export const MAX_STEPS_SIZE_LIMIT = 2 ** 30;
/** Minimum length of a secret that signs tokens, in characters. As long as the key of its hash function. */
export const MIN_SIGNAL_SECRET = 32;
export const DEFAULT_SCHEMA = 'public';
