import type { FactoryProvider, Type } from '@nestjs/common';
import { getDataSourceToken, getEntityManagerToken, getRepositoryToken } from '@nestjs/typeorm';
import type { EntitySchema } from 'typeorm';
import type { CloacinaTenantOptions } from '../cloacina.options.js';
import { servesOnly } from '../discovery/served-workflows.js';
import { tenantToken } from '../cloacina.tokens.js';
import { CloacinaRecovery } from '../recovery/cloacina-recovery.js';
import { CloacinaRunner } from '../runner/cloacina-runner.js';
import { CloacinaMigrator } from '../tenants/cloacina-migrator.js';
import type { Tenant } from '../tenants/tenant.js';
import type { TenantHost } from '../tenants/tenant-host.js';
import { ConfigurationError, listNames } from '../errors/index.js';
import { Boot } from './boot.js';
import {
  OPENED_TENANT,
  TENANT_HOST,
  TENANT_OPTIONS,
  type GivenOptions,
  type TenantRegistration,
} from './registration.js';
import { unavailable } from './unavailable.js';

/** Of each tenant there is one of these, under a string with the tenant's name. */
const PARTS: readonly {
  readonly type: Type<unknown>;
  readonly read: (hosted: Tenant) => object;
}[] = [
  { type: CloacinaRunner, read: (hosted) => hosted.runner },
  { type: CloacinaMigrator, read: (hosted) => hosted.migrator },
  { type: CloacinaRecovery, read: (hosted) => hosted.recovery },
];

/** A tenant that was opened, or that cannot be: then all that is read of it are stand-ins. */
interface OpenedTenant {
  from(read: (hosted: Tenant) => object): object;
}

/** What modules can inject of one tenant. `entities` are known when the options are given, not made. */
export function tenantProviders(
  registration: TenantRegistration,
  entities: CloacinaTenantOptions['entities'],
): FactoryProvider[] {
  const { tenant } = registration;
  const named =
    tenant === undefined ? [] : [...namedParts(tenant), ...dataSourceProviders(tenant, entities)];
  return [openedProvider(registration), ...named, ...classParts()];
}

/** The tokens that a tenant's module exports. */
export function exportedTokens(
  providers: readonly FactoryProvider[],
): FactoryProvider['provide'][] {
  return providers.map(({ provide }) => provide).filter((token) => token !== OPENED_TENANT);
}

function openedProvider(registration: TenantRegistration): FactoryProvider {
  return {
    provide: OPENED_TENANT,
    inject: [Boot, TENANT_HOST, TENANT_OPTIONS],
    useFactory: async (
      boot: Boot,
      host: TenantHost,
      given: GivenOptions,
    ): Promise<OpenedTenant> => {
      const options = boot.optionsOf(registration, given);
      if (options === undefined || !boot.isSound) {
        return { from: () => unavailable(() => boot.error()) };
      }
      try {
        const hosted = await host.openTenant({
          ...options,
          serves: servesOnly(options.workflows),
        });
        return { from: (read) => read(hosted) };
      } catch (error) {
        // The boot ends here, and nothing else would close what is open.
        await host.close();
        throw error;
      }
    },
  };
}

function namedParts(tenant: string): FactoryProvider[] {
  return PARTS.map(({ type, read }) => fromTenant(tenantToken(type, tenant), read));
}

function fromTenant(
  provide: FactoryProvider['provide'],
  read: (hosted: Tenant) => object,
): FactoryProvider {
  return {
    provide,
    inject: [OPENED_TENANT],
    useFactory: (opened: OpenedTenant) => opened.from(read),
  };
}

/** The classes themselves: the only tenant's. With several, whoever injects one was reported already. */
function classParts(): FactoryProvider[] {
  return PARTS.map(({ type, read }) => ({
    provide: type,
    inject: [Boot, OPENED_TENANT],
    useFactory: (boot: Boot, opened: OpenedTenant) =>
      boot.hasOneTenant ? opened.from(read) : unavailable(() => ambiguous(type, boot)),
  }));
}

function ambiguous(type: Type<unknown>, boot: Boot): Error {
  const names = listNames(boot.tenants.flatMap(({ tenant }) => tenant ?? []));
  return new ConfigurationError([
    `${type.name} was asked for, but there are ${boot.tenants.length} tenants: ${names}. Say whose, with the token of that tenant.`,
  ]);
}

/** What @nestjs/typeorm's decorators inject for a data source of the tenant's name. */
function dataSourceProviders(
  tenant: string,
  entities: CloacinaTenantOptions['entities'],
): FactoryProvider[] {
  return [
    fromTenant(getDataSourceToken(tenant), ({ dataSource }) => dataSource),
    fromTenant(getEntityManagerToken(tenant), ({ dataSource }) => dataSource.manager),
    ...entitiesIn(entities).map((entity) =>
      fromTenant(getRepositoryToken(entity, tenant), ({ dataSource }) =>
        dataSource.getMetadata(entity).treeType === undefined
          ? dataSource.getRepository(entity)
          : dataSource.getTreeRepository(entity),
      ),
    ),
  ];
}

/** What is no entity is reported with the other options. */
// oxlint-disable-next-line typescript/no-unsafe-function-type -- TypeORM's own type for an entity class
function entitiesIn(entities: unknown): (Function | EntitySchema)[] {
  return Array.isArray(entities) ? entities.filter(isEntity) : [];
}

function isEntity(entity: unknown): boolean {
  return typeof entity === 'function' || (typeof entity === 'object' && entity !== null);
}
