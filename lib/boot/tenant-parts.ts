import type { Type } from '@nestjs/common';
import { CloacinaRecovery } from '../recovery/cloacina-recovery.js';
import { CloacinaRunner } from '../runner/cloacina-runner.js';
import type { ProvidedParts } from '../tenants/hosting/unavailable-tenant.js';
import { CloacinaMigrator } from '../tenants/migrations/cloacina-migrator.js';

/** The classes of which each tenant has its own instance, each with a function that reads the instance. */
export const TENANT_PARTS: readonly {
  readonly type: Type<unknown>;
  readonly read: (parts: ProvidedParts) => object;
}[] = [
  { type: CloacinaRunner, read: ({ runner }) => runner },
  { type: CloacinaMigrator, read: ({ migrator }) => migrator },
  { type: CloacinaRecovery, read: ({ recovery }) => recovery },
];
