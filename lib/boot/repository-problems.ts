import type { ModulesContainer } from '@nestjs/core';
import { getRepositoryToken } from '@nestjs/typeorm';
import { findInjectionSites } from '../discovery/injection-sites.js';
import type { UnknownTenantSite } from './injection-problems.js';
import type { TenantRegistration } from './registration.js';
import { entitiesIn, type Entity } from './tenant-entities.js';

/** Separates the name of a data source from the rest of a repository's token. */
const SEPARATOR = '_';

/**
 * Every place that injects the repository of a tenant's entity without the tenant's name, or by a name that has no such
 * repository. The habit of one data source is `@InjectRepository(Invoice)`, which Nest alone answers with the token.
 */
export function findUnknownRepositories(
  modules: ModulesContainer,
  tenants: readonly TenantRegistration[],
): UnknownTenantSite[] {
  const owned = tenants.flatMap(({ tenant, given }) =>
    tenant === undefined
      ? []
      : entitiesIn(Reflect.get(Object(given?.options), 'entities')).map((entity) => ({
          entity,
          tenant,
          bare: bareToken(entity),
        })),
  );
  if (owned.length === 0) return [];
  const provided = new Set([...modules.values()].flatMap(({ providers }) => [...providers.keys()]));
  const meant = (token: string) =>
    owned.filter(({ bare }) => token === bare || token.endsWith(`${SEPARATOR}${bare}`));
  return findInjectionSites(
    modules.values(),
    (token) => typeof token === 'string' && !provided.has(token) && meant(token).length > 0,
  ).flatMap(({ token, ...site }) => {
    if (typeof token !== 'string' || site.isOptional) return [];
    const choices = meant(token).map(
      ({ entity, tenant }) => `@InjectRepository(${nameOf(entity)}, '${tenant}')`,
    );
    const problem =
      `${site.consumer} (in ${site.module}) injects ${JSON.stringify(token)}, which no module provides. ` +
      `The repository of a tenant's entity is injected with the tenant's name: ${choices.join(' or ')}.`;
    return [{ ...site, token, problem }];
  });
}

/** The token in the default data source, which is a name unless the "entity" is a repository class. */
function bareToken(entity: Entity): string {
  const token = getRepositoryToken(entity);
  return typeof token === 'string' ? token : `${nameOf(entity)}Repository`;
}

function nameOf(entity: Entity): string {
  return typeof entity === 'function' ? entity.name : entity.options.name;
}
