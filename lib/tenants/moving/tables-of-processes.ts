/**
 * Tables whose rows are not moved. That of the tenant has the state of each side. The others name processes by their sessions with
 * the old server, and no task is claimed while the last rows are carried over.
 */
export const CLOACINA_TABLES_OF_PROCESSES: readonly string[] = [
  'cloacina_tenant',
  'cloacina_process',
  'cloacina_runner_lease',
  'cloacina_claim_batch',
];
