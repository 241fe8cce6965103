import type { DataSource, EntitySchema, MigrationInterface } from 'typeorm';
import type { RegisteredWorkflow } from '../../discovery/registered-workflow.js';
import type { CloacinaRecovery } from '../../recovery/cloacina-recovery.js';
import type { CloacinaRunner } from '../../runner/cloacina-runner.js';
import type { ConnectionSource } from '../../store/postgres/connections/connection-config.js';
import type { CloacinaMigrator } from '../migrations/cloacina-migrator.js';

/** A tenant that this process serves. */
export interface Tenant {
  readonly name: string;
  readonly schema: string;
  readonly runner: CloacinaRunner;
  readonly migrator: CloacinaMigrator;
  readonly recovery: CloacinaRecovery;
  readonly dataSource: DataSource;
}

/** What serving a tenant takes; the module's options, resolved. */
export interface HostedTenantOptions extends ConnectionSource {
  readonly tenant: string;
  readonly schema: string;
  readonly controlUrl?: string | undefined;
  readonly controlConnection: boolean;
  /** Whether the schema is created and migrated when the tenant is opened. Default true. */
  readonly migrate?: boolean;
  readonly enableRecovery: boolean;
  readonly maxRecoveryAttempts: number;
  readonly poolSize: number;
  readonly maxConcurrentTasks: number;
  readonly leaseDurationMs: number;
  readonly shutdownTimeoutMs: number;
  readonly startTimeoutMs: number;
  readonly handlerGraceMs: number;
  readonly maxContextSize: number;
  // oxlint-disable-next-line typescript/no-unsafe-function-type -- TypeORM's own type for an entity class
  readonly entities?: readonly (Function | EntitySchema)[];
  readonly migrations?: readonly (new () => MigrationInterface)[];
  /** `role`: its data source works under a role of its own. Default `schema`. */
  readonly isolation?: 'schema' | 'role';
  /** The schemas behind its own in the `search_path`. Default: what the login has. */
  readonly searchPath?: readonly string[];
  readonly serves: (workflow: RegisteredWorkflow) => boolean;
}
