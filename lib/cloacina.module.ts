import { Module, type DynamicModule, type Provider } from '@nestjs/common';
import { asyncOptionsProviders, checkAsyncOptions } from './boot/async-options.js';
import { BareImportCheck } from './boot/bare-import-check.js';
import {
  SHARED_OPTIONS,
  SHARED_REGISTRATION,
  TENANT_OPTIONS,
  TENANT_REGISTRATION,
  type SharedRegistration,
  type TenantRegistration,
} from './boot/registration.js';
import { tenantProviders } from './boot/tenant-providers.js';
import { CloacinaCoreModule } from './cloacina-core.module.js';
import type {
  CloacinaAsyncOptions,
  CloacinaSharedOptions,
  CloacinaTenantOptions,
} from './cloacina.options.js';
import { ownerOf } from './options/index.js';
import { DEFAULT_SCHEMA } from './options/defaults.js';

/** The number of `forTenant` and `forTenantAsync` calls in this process. */
let calls = 0;

/**
 * Durable workflows for an application: one `forTenant` for each tenant, and at most one `forRoot` for the options that
 * they share. All providers are global, so feature modules import nothing.
 *
 * All problems of the options and the workflows are reported at boot, in one ConfigurationError. Handlers run from the
 * end of the bootstrap until `app.close()`, or until a shutdown signal after `app.enableShutdownHooks()`.
 *
 * @example
 * ```ts
 * @Module({
 *   imports: [
 *     CloacinaModule.forRoot({ databaseUrl: process.env.DATABASE_URL, maxConcurrentTasks: 50 }),
 *     CloacinaModule.forTenant({ schema: 'tenant_acme' }),
 *     CloacinaModule.forTenant({ schema: 'tenant_globex', maxConcurrentTasks: 20 }),
 *   ],
 *   providers: [OrderFulfilment],
 * })
 * export class AppModule {}
 * ```
 */
@Module({ providers: [BareImportCheck] })
export class CloacinaModule {
  /** Sets the defaults of all tenants and the limits of this process. Optional; import it once, in the root module. */
  static forRoot(options: CloacinaSharedOptions = {}): DynamicModule {
    const given = { options };
    return sharedModule({ problems: [], given }, [{ provide: SHARED_OPTIONS, useValue: given }]);
  }

  /** {@link CloacinaModule.forRoot} with options from a factory, such as one that injects ConfigService. */
  static forRootAsync(options: CloacinaAsyncOptions<CloacinaSharedOptions>): DynamicModule {
    const problems = checkAsyncOptions('CloacinaModule.forRootAsync()', options);
    return sharedModule(
      { problems },
      asyncOptionsProviders(SHARED_OPTIONS, options),
      options.imports,
    );
  }

  /**
   * Serves a tenant. It creates and migrates the tenant's schema, and provides its CloacinaRunner, CloacinaMigrator and
   * CloacinaRecovery. For `@nestjs/typeorm` it provides the tenant's DataSource, EntityManager and the repositories of
   * its `entities`.
   *
   * Registering the same tenant twice is an error. The parts of an only tenant can also be injected by class.
   */
  static forTenant(options: CloacinaTenantOptions = {}): DynamicModule {
    const registration: TenantRegistration = {
      call: calls++,
      tenant: options.tenant ?? options.schema ?? DEFAULT_SCHEMA,
      owner: ownerOf(options),
      given: { options },
      problems: [],
    };
    return tenantModule(registration, [{ provide: TENANT_OPTIONS, useValue: { options } }], {
      entities: options.entities,
    });
  }

  /**
   * {@link CloacinaModule.forTenant} with options from a factory. The tenant's entities are not known before the factory
   * has run, so `TypeOrmModule.forFeature([Invoice], 'initech')` provides the repositories.
   */
  static forTenantAsync(options: CloacinaAsyncOptions<CloacinaTenantOptions>): DynamicModule {
    const owner =
      options.tenant === undefined
        ? 'CloacinaModule.forTenantAsync()'
        : ownerOf({ tenant: options.tenant });
    const registration: TenantRegistration = {
      call: calls++,
      tenant: options.tenant,
      owner,
      problems: checkAsyncOptions(owner, options),
    };
    return tenantModule(registration, asyncOptionsProviders(TENANT_OPTIONS, options), {
      imports: options.imports,
    });
  }
}

function sharedModule(
  registration: SharedRegistration,
  providers: Provider[],
  imports: DynamicModule['imports'] = [],
): DynamicModule {
  return {
    module: CloacinaModule,
    global: true,
    imports: [CloacinaCoreModule, ...imports],
    providers: [{ provide: SHARED_REGISTRATION, useValue: registration }, ...providers],
    exports: [SHARED_OPTIONS],
  };
}

function tenantModule(
  registration: TenantRegistration,
  options: Provider[],
  {
    imports = [],
    entities,
  }: { imports?: DynamicModule['imports']; entities?: CloacinaTenantOptions['entities'] },
): DynamicModule {
  const providers = tenantProviders(registration, entities);
  return {
    module: CloacinaModule,
    global: true,
    imports: [CloacinaCoreModule, ...imports],
    providers: [{ provide: TENANT_REGISTRATION, useValue: registration }, ...options, ...providers],
    exports: providers.map(({ provide }) => provide),
  };
}
