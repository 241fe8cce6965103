import type { ResolvedTenantOptions } from '../../lib/options/index.js';
import { databaseUrl } from './postgres.js';

/** A tenant's options as the module resolves them, with the defaults of tests. Its name is its schema's. */
export function tenantOptions(
  schema: string,
  own: Partial<ResolvedTenantOptions> = {},
): ResolvedTenantOptions {
  return {
    tenant: schema,
    schema,
    databaseUrl: own.databaseUrl ?? databaseUrl(),
    connection: {},
    controlConnection: true,
    migrate: true,
    poolSize: 10,
    maxConcurrentTasks: 10,
    enableRecovery: true,
    maxRecoveryAttempts: 3,
    leaseDurationMs: 30_000,
    shutdownTimeoutMs: 5_000,
    startTimeoutMs: 10_000,
    handlerGraceMs: 30_000,
    maxContextSize: 1_048_576,
    maxSteps: 10_000,
    maxStepsSize: 33_554_432,
    signalSecrets: [],
    entities: [],
    migrations: [],
    isolation: 'schema',
    ...own,
  };
}
