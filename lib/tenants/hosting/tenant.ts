import type { DataSource } from 'typeorm';
import type { CloacinaRecovery } from '../../recovery/cloacina-recovery.js';
import type { CloacinaRunner } from '../../runner/cloacina-runner.js';
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
