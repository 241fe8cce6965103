import type { InjectionToken } from '@nestjs/common';
import type { ModulesContainer } from '@nestjs/core';
import { getDataSourceToken } from '@nestjs/typeorm';
import { findInjectionSites, type InjectionSite } from '../discovery/injection-sites.js';
import { CLASS_TOKENS, parseTenantToken } from '../cloacina.tokens.js';
import { didYouMean, listNames } from '../errors/index.js';
import {
  isTenantRegistration,
  OPENED_TENANT,
  providedValues,
  TENANT_REGISTRATION,
  type TenantRegistration,
} from './registration.js';

const FOR_TENANT = 'Import CloacinaModule.forTenant()';
const AT_RUN_TIME =
  'Get a tenant that is added or discovered at run time from CloacinaTenants.get(name).';

/** A place that injects a part of an unknown tenant. */
export interface UnknownTenantSite extends InjectionSite {
  readonly token: string;
  /** The problem and its solution, as sentences. */
  readonly problem: string;
}

/** The tenants that the application registers, in the order of Nest's container. */
export function tenantsOf(modules: ModulesContainer): TenantRegistration[] {
  return providedValues(modules.values(), TENANT_REGISTRATION).filter(isTenantRegistration);
}

/** A clause that explains why an application without tenants can inject nothing by class, followed by what to do. */
export function noTenant(): string {
  return (
    'the application has no tenant: CloacinaModule.forRoot() sets only the options that tenants share. ' +
    `${FOR_TENANT}, such as CloacinaModule.forTenant({ schema: 'tenant_acme' }). ${AT_RUN_TIME}`
  );
}

/** Problems of the application's injections, one sentence each. */
export function findInjectionProblems(
  modules: ModulesContainer,
  tenants: readonly TenantRegistration[],
  unknownTenants: readonly UnknownTenantSite[] = [],
): string[] {
  const unknownTenantProblems = unknownTenants.map(({ problem }) => problem);
  return [
    ...unnamedTenants(tenants),
    ...(tenants.length === 1 ? [] : classInjections(modules, tenants)),
    ...unknownTenantProblems,
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

/** Reports each place that injects a part of a tenant by class, unless the application has exactly one tenant. */
function classInjections(
  modules: ModulesContainer,
  tenants: readonly TenantRegistration[],
): string[] {
  const names = listNames(tenants.flatMap(({ tenant }) => tenant ?? []));
  const known = CLASS_TOKENS.filter(
    ({ type }) => tenants.length > 1 || !isProvidedByApplication(modules, type),
  );
  const decorators = new Map<unknown, string>(
    known.map(({ type, decorator }) => [type, decorator]),
  );
  return findInjectionSites(modules.values(), (token) => decorators.has(token)).flatMap(
    ({ consumer, module, token, isOptional }) => {
      if (tenants.length === 0 && isOptional) return [];
      const decorator = decorators.get(token) ?? '';
      const type = decorator.replace('Inject', 'Cloacina');
      const subject = `${consumer} (in ${module}) injects ${type}, but`;
      return tenants.length === 0
        ? `${subject} ${noTenant()}`
        : `${subject} there are ${tenants.length} tenants: ${names}. Name the tenant, with @${decorator}(tenant).`;
    },
  );
}

/** Whether the application's own module, or a test's override, provides the class. It may if there is no tenant. */
function isProvidedByApplication(modules: ModulesContainer, token: InjectionToken): boolean {
  return [...modules.values()].some(({ providers }) => {
    const provider = providers.get(token);
    return provider !== undefined && !injectsOpenedTenant(provider.inject);
  });
}

function injectsOpenedTenant(inject: readonly unknown[] | null | undefined): boolean {
  return (inject ?? []).some((each) => Reflect.get(Object(each), 'token') === OPENED_TENANT);
}

/** Every place that injects a part of a tenant that the application doesn't register. */
export function findUnknownTenants(
  modules: ModulesContainer,
  tenants: readonly TenantRegistration[],
): UnknownTenantSite[] {
  const provided = new Set([...modules.values()].flatMap(({ providers }) => [...providers.keys()]));
  const names = tenants.flatMap(({ tenant }) => tenant ?? []);
  return findInjectionSites(
    modules.values(),
    (token) => typeof token === 'string' && !provided.has(token),
  ).flatMap((site) => {
    const asked = parseTenantToken(site.token);
    if (asked === undefined || typeof site.token !== 'string' || site.isOptional) return [];
    const { consumer, module, token } = site;
    const subject = `${consumer} (in ${module}) injects the ${asked.type.name} of tenant ${JSON.stringify(asked.tenant)}`;
    const problem = `${subject}, ${unknownTenant(asked.tenant, names)}`;
    return [{ ...site, token, problem }];
  });
}

function unknownTenant(tenant: string, names: readonly string[]): string {
  if (names.length === 0) return `but ${noTenant()}`;
  return (
    `which no module provides.${didYouMean(tenant, names)} Known: ${listNames(names)}. ` +
    `${FOR_TENANT} for it. ${AT_RUN_TIME}`
  );
}

/** A tenant's data source takes the token that @nestjs/typeorm gives to a data source with the tenant's name. */
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
