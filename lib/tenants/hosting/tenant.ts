import type { DataSource } from 'typeorm';
import type { CloacinaRecovery } from '../../recovery/cloacina-recovery.js';
import type { CloacinaRunner } from '../../runner/cloacina-runner.js';
import type { CloacinaMigrator } from '../migrations/cloacina-migrator.js';

/** A tenant that this process serves, with the objects to work with it. */
export interface Tenant {
  /** The option `tenant`; by default the schema. */
  readonly name: string;
  readonly schema: string;
  readonly runner: CloacinaRunner;
  readonly migrator: CloacinaMigrator;
  readonly recovery: CloacinaRecovery;
  readonly dataSource: DataSource;
}
