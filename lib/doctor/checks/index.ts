import type { DatabaseCheck, TenantCheck } from '../check.js';
import { archive } from './archive.js';
import { blockedTasks } from './blocked-tasks.js';
import { clockSkew } from './clock-skew.js';
import { deadTuples } from './dead-tuples.js';
import { durability } from './durability.js';
import { endedExecutions } from './ended-executions.js';
import { failedExecutions } from './failed-executions.js';
import { missingGrants } from './missing-grants.js';
import { oldTransactionsOf } from './old-transactions.js';
import { orphans } from './orphans.js';
import { pendingMigrations } from './pending-migrations.js';
import { poolerMode } from './pooler-mode.js';
import { schedules } from './schedules.js';
import { schemaDrift } from './schema-drift.js';
import { settings } from './settings.js';
import { stalledExecutions } from './stalled-executions.js';
import { stuckLeases } from './stuck-leases.js';
import { unfinishedMove } from './unfinished-move.js';

export const DATABASE_CHECKS: readonly DatabaseCheck[] = [
  clockSkew,
  poolerMode,
  settings,
  durability,
  oldTransactionsOf(),
];

/** Those of the catalog first: they say why others are skipped. */
export const TENANT_CHECKS: readonly TenantCheck[] = [
  pendingMigrations,
  schemaDrift,
  missingGrants,
  deadTuples,
  endedExecutions,
  orphans,
  stuckLeases,
  blockedTasks,
  stalledExecutions,
  schedules,
  unfinishedMove,
  archive,
  failedExecutions,
];
