import type { DataSource } from 'typeorm';
import type { CloacinaRecovery } from '../../recovery/cloacina-recovery.js';
import type { CloacinaRunner } from '../../runner/cloacina-runner.js';
import type { CloacinaMigrator } from '../migrations/cloacina-migrator.js';

/** A tenant that this process serves, with the objects to work with it. */
export interface Tenant {
  /** The option `tenant`; by default the schema. */
  readonly name: string;
  /** The schema of the tenant. */
  readonly schema: string;
  /** The name of its server. Absent without the option `servers` of forRoot. */
  readonly server?: string;
  /** Starts, reads and controls its executions. */
  readonly runner: CloacinaRunner;
  /** Reads and changes its migrations. */
  readonly migrator: CloacinaMigrator;
  /** Reports and runs the recovery of its tasks. */
  readonly recovery: CloacinaRecovery;
  /** The data source of TypeORM for its schema. */
  readonly dataSource: DataSource;
}
