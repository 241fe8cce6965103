import { isDeepStrictEqual } from 'node:util';
import { ConfigurationError } from '../../errors/index.js';
import { checkTenants } from '../../options/index.js';
import { databaseKey } from '../../store/postgres/connections/connection-config.js';
import type { ConnectionSource } from '../../store/postgres/connections/connection-config.js';
import type { HostedTenantOptions } from './tenant.js';

/** The names and schemas of all tenants that are open or being opened, so that no two of them meet. */
export class TenantsInUse {
  private readonly byName = new Map<string, HostedTenantOptions>();
  private readonly bySchema = new Map<string, HostedTenantOptions>();

  /** @throws ConfigurationError when the name or the schema is another tenant's, or differs in case only */
  add(options: HostedTenantOptions): void {
    const [name, schema] = [nameKey(options), schemaKey(options)];
    const others = new Set([this.byName.get(name), this.bySchema.get(schema)]);
    const known = [...others].filter((other) => other !== undefined);
    const problems =
      known.length === 0 ? [] : checkTenants([...known, options].map(withConnection));
    if (problems.length > 0) throw new ConfigurationError(problems);
    this.byName.set(name, options);
    this.bySchema.set(schema, options);
  }

  delete(options: HostedTenantOptions): void {
    this.byName.delete(nameKey(options));
    this.bySchema.delete(schemaKey(options));
  }

  /** The tenant on the schema of this database. */
  onSchema(place: SchemaPlace): HostedTenantOptions | undefined {
    return this.bySchema.get(schemaKey(place));
  }
}

/** A schema, and the database that it is in. */
export type SchemaPlace = ConnectionSource & { readonly schema: string };

function nameKey({ tenant }: HostedTenantOptions): string {
  return tenant.toLowerCase();
}

/** Equal for one schema of one database, whatever the login. */
export function schemaKey({ schema, databaseUrl, connection = {} }: SchemaPlace): string {
  return `${databaseKey({ databaseUrl, connection })} ${schema.toLowerCase()}`;
}

function withConnection(options: HostedTenantOptions): Parameters<typeof checkTenants>[0][number] {
  const { tenant, schema, databaseUrl, connection = {} } = options;
  return { tenant, schema, connection, ...(databaseUrl === undefined ? {} : { databaseUrl }) };
}

/** Whether a tenant that is open is what was asked for. Classes count as equal when they are the same ones. */
export function isSameTenant(open: HostedTenantOptions, asked: HostedTenantOptions): boolean {
  return isDeepStrictEqual(withoutServes(open), withoutServes(asked));
}

/** The option `workflows` says the same, and can be compared. */
function withoutServes({ serves: _, ...options }: HostedTenantOptions): object {
  return options;
}
