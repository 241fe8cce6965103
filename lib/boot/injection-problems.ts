import type { ModulesContainer } from '@nestjs/core';
import { getDataSourceToken } from '@nestjs/typeorm';
import { findInjectionSites } from '../discovery/injection-sites.js';
import { CLASS_TOKENS } from '../cloacina.tokens.js';
import { listNames } from '../errors/index.js';
import { TENANT_REGISTRATION, type TenantRegistration } from './registration.js';

/** What cannot be injected as the application asks for it, one sentence each. */
export function findInjectionProblems(
  modules: ModulesContainer,
  tenants: readonly TenantRegistration[],
): string[] {
  return [
    ...unnamedTenants(tenants),
    ...(tenants.length > 1 ? classInjections(modules, tenants) : []),
    ...takenDataSources(modules, tenants),
  ];
}

function unnamedTenants(tenants: readonly TenantRegistration[]): string[] {
  if (tenants.length === 1) return [];
  return tenants.flatMap(({ tenant, owner }) =>
    tenant === undefined
      ? [
          `${owner}: there are ${tenants.length} tenants, so it needs a \`tenant\` name beside its factory.`,
        ]
      : [],
  );
}

/** Every place that asks for a class of which each tenant has its own. */
function classInjections(
  modules: ModulesContainer,
  tenants: readonly TenantRegistration[],
): string[] {
  const names = listNames(tenants.flatMap(({ tenant }) => tenant ?? []));
  const own = [...modules.values()].filter((module) => module.providers.has(TENANT_REGISTRATION));
  const tokens = new Map<unknown, string>(
    CLASS_TOKENS.map(({ type, decorator }) => [type, decorator]),
  );
  const sites = findInjectionSites(
    modules.values(),
    new Set(tokens.keys()),
    new Set(own.map(({ metatype }) => metatype)),
  );
  return sites.map(({ consumer, module, token }) => {
    const decorator = tokens.get(token) ?? '';
    const type = decorator.replace('Inject', 'Cloacina');
    return `${consumer} (in ${module}) injects ${type}, but there are ${tenants.length} tenants: ${names}. Say whose with @${decorator}(tenant).`;
  });
}

/** A tenant's data source has the token that @nestjs/typeorm gives a data source of that name. */
function takenDataSources(
  modules: ModulesContainer,
  tenants: readonly TenantRegistration[],
): string[] {
  const problems = tenants.flatMap(({ tenant, owner }) => {
    if (tenant === undefined) return [];
    const token = getDataSourceToken(tenant);
    return [...modules.values()].flatMap((module) =>
      module.providers.has(token) && !module.providers.has(TENANT_REGISTRATION)
        ? [
            `${owner}: ${module.name} provides a data source of that name already. Give the tenant another \`tenant\` name.`,
          ]
        : [],
    );
  });
  return [...new Set(problems)];
}
