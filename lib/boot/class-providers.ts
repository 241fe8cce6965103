import type { FactoryProvider, Type } from '@nestjs/common';
import { ConfigurationError, listNames } from '../errors/index.js';
import { unavailableTenant } from '../tenants/hosting/unavailable-tenant.js';
import { ConfigurationCheck } from './configuration-check.js';
import { noTenant } from './injection-problems.js';
import { OPENED_TENANT } from './registration.js';
import { TENANT_PARTS } from './tenant-parts.js';
import type { OpenedTenant } from './tenant-providers.js';

/**
 * CloacinaRunner, CloacinaMigrator and CloacinaRecovery, injected by class: the parts of the only tenant. In an
 * application with several tenants, or none, they are stand-ins. Places that inject a stand-in are reported
 * (`injection-problems.ts`), and the methods of one got by `app.get(CloacinaRunner)` throw an error that says what is
 * missing.
 */
export function classProviders(): FactoryProvider[] {
  return TENANT_PARTS.map(({ type, read }) => ({
    provide: type,
    inject: [ConfigurationCheck, { token: OPENED_TENANT, optional: true }],
    useFactory: (boot: ConfigurationCheck, opened?: OpenedTenant) =>
      opened !== undefined && boot.tenants.length === 1
        ? read(opened.parts)
        : read(unavailableTenant(() => notOne(type, boot))),
  }));
}

function notOne(type: Type<unknown>, { tenants }: ConfigurationCheck): Error {
  if (tenants.length === 0) {
    return new ConfigurationError([`${type.name} was asked for, but ${noTenant()}`]);
  }
  // Nest 11 continues without an optional dependency that failed; the boot then fails with the tenant's own error.
  if (tenants.length === 1) return new Error('The tenant could not be opened.');
  const names = listNames(tenants.flatMap(({ tenant }) => tenant ?? []));
  const token = `${type.name.replace('Cloacina', 'get')}Token(tenant)`;
  return new ConfigurationError([
    `${type.name} was asked for, but there are ${tenants.length} tenants: ${names}. Use the token of one of them: ${token}.`,
  ]);
}
