import { UsageError } from './exit-code.js';
import { loadLibrary } from './library.js';

/** The tenant that a command is for. */
export interface Target {
  readonly tenant: string;
  readonly schema: string;
}

/** Maximum number of tenants in a message. */
const MAX_LISTED = 20;

/**
 * Finds the tenant by its schema or its name. Without either, it is the only tenant of the database.
 *
 * @throws UsageError if there is no such tenant, or if the choice is not clear
 */
export async function findTarget(
  databaseUrl: string,
  { tenant, schema }: { readonly tenant?: string; readonly schema?: string },
): Promise<Target> {
  const { CloacinaAdmin } = await loadLibrary();
  const all = await new CloacinaAdmin({ databaseUrl }).listTenants();
  if (schema === undefined && tenant === undefined) return onlyOf(all);
  const matching = all.filter(
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
    throw new UsageError(`The database has no tenant ${wanted}. ${listed(all)}`);
  }
  if (others.length > 0) {
    const schemas = matching.map((each) => each.schema).join(', ');
    throw new UsageError(
      `Several schemas say that their tenant is ${JSON.stringify(tenant)}: ${schemas}. Name one with --schema.`,
    );
  }
  return { tenant: found.tenant, schema: found.schema };
}

function onlyOf(all: readonly Target[]): Target {
  const [only, ...others] = all;
  if (only === undefined) {
    throw new UsageError(
      'The database has no tenant. Create one with "nestjs-cloacina tenants create SCHEMA", or check the name of the database.',
    );
  }
  if (others.length === 0) return { tenant: only.tenant, schema: only.schema };
  throw new UsageError(`Name a tenant with --tenant or --schema. ${listed(all)}`);
}

function listed(all: readonly Target[]): string {
  if (all.length === 0) return 'It has no tenants.';
  const names = all.slice(0, MAX_LISTED).map(({ tenant }) => tenant);
  const more = all.length - names.length;
  return `Its tenants are ${names.join(', ')}${more > 0 ? ` and ${more} more` : ''}.`;
}
