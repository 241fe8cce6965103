import { Inject, Injectable } from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import { ConfigurationError } from '../errors/index.js';
import { tenantsOf } from './injection-problems.js';
import { providedValues, SHARED_REGISTRATION } from './registration.js';

/**
 * Ends the boot of an application that imports only the class `CloacinaModule`. It would have no tenant, no runner and no
 * check of its workflows, and would not say so. Beside a `forRoot` or `forTenant` of another module, the class adds nothing.
 */
@Injectable()
export class BareImportCheck {
  /** @throws ConfigurationError if no module of the application is made by `forRoot` or `forTenant` */
  constructor(@Inject(ModulesContainer) modules: ModulesContainer) {
    const isConfigured =
      tenantsOf(modules).length > 0 ||
      providedValues(modules.values(), SHARED_REGISTRATION).length > 0;
    if (isConfigured) return;
    throw new ConfigurationError([
      'The application imports CloacinaModule without options, so it has no tenant and runs no workflow. Import ' +
        "CloacinaModule.forTenant({ schema: 'tenant_acme' }) in its place, or CloacinaModule.forRoot() if tenants are added " +
        'at run time.',
    ]);
  }
}
