import type { Type } from '@nestjs/common';
import { CloacinaRecovery } from '../recovery/cloacina-recovery.js';
import { CloacinaRunner } from '../runner/cloacina-runner.js';
import type { ProvidedParts } from '../tenants/hosting/unavailable-tenant.js';
import { CloacinaMigrator } from '../tenants/migrations/cloacina-migrator.js';

/** The classes of which each tenant has an instance, and where it is among what is provided of the tenant. */
export const TENANT_PARTS: readonly {
  readonly type: Type<unknown>;
  readonly read: (parts: ProvidedParts) => object;
}[] = [
  { type: CloacinaRunner, read: ({ runner }) => runner },
  { type: CloacinaMigrator, read: ({ migrator }) => migrator },
  { type: CloacinaRecovery, read: ({ recovery }) => recovery },
];
