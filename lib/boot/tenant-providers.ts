import type { FactoryProvider } from '@nestjs/common';
import { getDataSourceToken, getEntityManagerToken, getRepositoryToken } from '@nestjs/typeorm';
import type { CloacinaTenantOptions } from '../cloacina.options.js';
import { tenantToken } from '../cloacina.tokens.js';
import type { Tenant } from '../tenants/hosting/tenant.js';
import type { TenantManager } from '../tenants/hosting/tenant-manager.js';
import { unavailableTenant, type ProvidedParts } from '../tenants/hosting/unavailable-tenant.js';
import { ConfigurationCheck } from './configuration-check.js';
import {
  OPENED_TENANT,
  TENANT_MANAGER,
  TENANT_OPTIONS,
  type OptionsSource,
  type TenantRegistration,
} from './registration.js';
import { entitiesIn, type Entity } from './tenant-entities.js';
import { TENANT_PARTS } from './tenant-parts.js';

/** The providers of an opened tenant. If the tenant could not be opened, all of them are stand-ins. */
export interface OpenedTenant {
  readonly parts: ProvidedParts;
  readonly repositoryOf: (entity: Entity) => object;
}

/** The injectable providers of one tenant. `entities` are known only if the options are given as a value. */
export function tenantProviders(
  registration: TenantRegistration,
  entities: CloacinaTenantOptions['entities'],
): FactoryProvider[] {
  const { tenant } = registration;
  const named =
    tenant === undefined ? [] : [...namedParts(tenant), ...dataSourceProviders(tenant, entities)];
  return [openedProvider(registration), ...named];
}

function openedProvider(registration: TenantRegistration): FactoryProvider {
  return {
    provide: OPENED_TENANT,
    inject: [ConfigurationCheck, TENANT_MANAGER, TENANT_OPTIONS],
    useFactory: async (
      boot: ConfigurationCheck,
      host: TenantManager,
      given: OptionsSource,
    ): Promise<OpenedTenant> => {
      const options = boot.optionsOf(registration, given);
      if (options === undefined || !boot.isSound) {
        const parts = unavailableTenant(() => boot.error());
        return { parts, repositoryOf: () => parts.repository };
      }
      try {
        return opened(await host.openTenant(options));
      } catch (error) {
        // A failed boot calls no shutdown hooks, so the connections are closed here.
        await host.close();
        throw error;
      }
    },
  };
}

function opened({ dataSource, runner, migrator, recovery }: Tenant): OpenedTenant {
  return {
    parts: { runner, migrator, recovery, dataSource, manager: dataSource.manager },
    repositoryOf: (entity) =>
      dataSource.getMetadata(entity).treeType === undefined
        ? dataSource.getRepository(entity)
        : dataSource.getTreeRepository(entity),
  };
}

function namedParts(tenant: string): FactoryProvider[] {
  return TENANT_PARTS.map(({ type, read }) =>
    fromTenant(tenantToken(type, tenant), ({ parts }) => read(parts)),
  );
}

function fromTenant(
  provide: FactoryProvider['provide'],
  read: (opened: OpenedTenant) => object,
): FactoryProvider {
  return { provide, inject: [OPENED_TENANT], useFactory: read };
}

/** The providers that @nestjs/typeorm's decorators inject for a data source with the tenant's name. */
function dataSourceProviders(
  tenant: string,
  entities: CloacinaTenantOptions['entities'],
): FactoryProvider[] {
  return [
    fromTenant(getDataSourceToken(tenant), ({ parts }) => parts.dataSource),
    fromTenant(getEntityManagerToken(tenant), ({ parts }) => parts.manager),
    ...entitiesIn(entities).map((entity) =>
      fromTenant(getRepositoryToken(entity, tenant), ({ repositoryOf }) => repositoryOf(entity)),
    ),
  ];
}
