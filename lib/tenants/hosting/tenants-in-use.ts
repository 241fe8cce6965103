import { isDeepStrictEqual } from 'node:util';
import { ConfigurationError } from '../../errors/index.js';
import { checkTenants } from '../../options/index.js';
import { databaseKey } from '../../store/postgres/connections/connection-config.js';
import type { ConnectionSource } from '../../store/postgres/connections/connection-config.js';
import type { ResolvedTenantOptions } from '../../options/index.js';

/** The names and schemas of all tenants that are open or being opened, so that no two of them meet. */
export class TenantsInUse {
  private readonly byName = new Map<string, ResolvedTenantOptions>();
  private readonly bySchema = new Map<string, ResolvedTenantOptions>();

  /** @throws ConfigurationError when the name or the schema is another tenant's, or differs in case only */
  add(options: ResolvedTenantOptions): void {
    const [name, schema] = [nameKey(options), schemaKey(options)];
    const others = new Set([this.byName.get(name), this.bySchema.get(schema)]);
    const known = [...others].filter((other) => other !== undefined);
    const problems = known.length === 0 ? [] : checkTenants([...known, options]);
    if (problems.length > 0) throw new ConfigurationError(problems);
    this.byName.set(name, options);
    this.bySchema.set(schema, options);
  }

  delete(options: ResolvedTenantOptions): void {
    this.byName.delete(nameKey(options));
    this.bySchema.delete(schemaKey(options));
  }

  /** The tenant on the schema of this database. */
  onSchema(place: SchemaPlace): ResolvedTenantOptions | undefined {
    return this.bySchema.get(schemaKey(place));
  }
}

/** A schema, and the database that it is in. */
export type SchemaPlace = ConnectionSource & { readonly schema: string };

function nameKey({ tenant }: ResolvedTenantOptions): string {
  return tenant.toLowerCase();
}

/** Equal for one schema of one database, whatever the login. */
export function schemaKey({ schema, databaseUrl, connection = {} }: SchemaPlace): string {
  return `${databaseKey({ databaseUrl, connection })} ${schema.toLowerCase()}`;
}

/** Whether a tenant that is open is what was asked for. Classes count as equal when they are the same ones. */
export function isSameTenant(open: ResolvedTenantOptions, asked: ResolvedTenantOptions): boolean {
  return isDeepStrictEqual(open, asked);
}
