import { IncompleteError, UsageError } from './exit-code.js';
import type { ListedTenant } from '../index.js';
import type { NamedDatabase } from './databases.js';

/** The tenant that a command is for. */
export interface Target {
  readonly tenant: string;
  readonly schema: string;
}

/** A tenant with its database. */
export interface PlacedTarget extends Target, NamedDatabase {}

const LACKS_NAME = 'Name a tenant with --tenant or --schema.';

/** Maximum number of tenants in a message. */
const MAX_LISTED = 20;

/**
 * Finds the tenant by its schema or its name. Without either, it is the only tenant of the databases.
 *
 * @param away - the names of servers that could not be reached
 * @param lacksName - what to do if no tenant is named, as a sentence
 * @throws UsageError if there is no such tenant, or if the choice is not clear
 * @throws IncompleteError if a server that could not be reached may have the tenant
 */
export function findTarget(
  all: readonly ListedTenant[],
  databases: readonly NamedDatabase[],
  { tenant, schema }: { readonly tenant?: string; readonly schema?: string },
  away: readonly string[] = [],
  lacksName = LACKS_NAME,
): PlacedTarget {
  const living = all.filter(livesThere);
  if (schema === undefined && tenant === undefined) {
    if (away.length > 0)
      throw new IncompleteError(`${lacksName} ${notSearched(away)} ${listed(living)}`);
    return placed(onlyOf(living, lacksName), databases);
  }
  const matching = living.filter(
    (each) =>
      (schema === undefined || each.schema === schema) &&
      (tenant === undefined || each.tenant === tenant),
  );
  const [found, ...others] = matching;
  if (found === undefined) {
    const wanted =
      schema === undefined
        ? `named ${JSON.stringify(tenant)}`
        : `with the schema ${JSON.stringify(schema)}` +
          (tenant === undefined ? '' : ` and the name ${JSON.stringify(tenant)}`);
    if (away.length > 0)
      throw new IncompleteError(
        `The servers that answer have no tenant ${wanted}. ${notSearched(away)}`,
      );
    throw new UsageError(`The database has no tenant ${wanted}. ${listed(all)}`);
  }
  if (others.length > 0) {
    const servers = matching.flatMap(({ server }) => server ?? []);
    if (new Set(servers).size > 1 && matching.every((each) => each.schema === found.schema)) {
      throw new UsageError(
        `The schema ${JSON.stringify(found.schema)} is on several servers: ${servers.join(', ')}. Name one with --server.`,
      );
    }
    const schemas = matching.map((each) => each.schema).join(', ');
    throw new UsageError(
      `Several schemas say that their tenant is ${JSON.stringify(tenant)}: ${schemas}. Name one with --schema.`,
    );
  }
  return placed(found, databases);
}

/** False for the source of a move, and for a copy that is not complete: the tenant is on another server. */
export function livesThere({ move }: ListedTenant): boolean {
  return move?.state !== 'moved' && move?.state !== 'arriving';
}

/** The tenant with the URL of its database. */
export function placed(
  { tenant, schema, server }: ListedTenant,
  databases: readonly NamedDatabase[],
): PlacedTarget {
  const its = databases.find((one) => one.server === server) ?? databases[0];
  return {
    tenant,
    schema,
    databaseUrl: its?.databaseUrl ?? '',
    ...(server === undefined ? {} : { server }),
  };
}

function onlyOf(all: readonly ListedTenant[], lacksName: string): ListedTenant {
  const [only, ...others] = all;
  if (only === undefined) {
    throw new UsageError(
      'The database has no tenant. Create one with "nestjs-cloacina tenants create SCHEMA", or check the name of the database.',
    );
  }
  if (others.length === 0) return only;
  throw new UsageError(`${lacksName} ${listed(all)}`);
}

function notSearched(away: readonly string[]): string {
  return away.length === 1
    ? `The server ${away[0]} could not be reached and may have others.`
    : `The servers ${away.join(', ')} could not be reached and may have others.`;
}

function listed(all: readonly Target[]): string {
  if (all.length === 0) return 'It has no tenants.';
  const names = all.slice(0, MAX_LISTED).map(({ tenant }) => tenant);
  const more = all.length - names.length;
  return `Its tenants are ${names.join(', ')}${more > 0 ? ` and ${more} more` : ''}.`;
}
