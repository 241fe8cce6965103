import { isDeepStrictEqual } from 'node:util';
import { ConfigurationError } from '../../errors/index.js';
import { checkTenants } from '../../options/index.js';
import { databaseKey } from '../../store/postgres/connections/connection-config.js';
import type { ConnectionSource } from '../../store/postgres/connections/connection-config.js';
import type { ResolvedTenantOptions } from '../../options/index.js';

/** The names and schemas of all tenants that are open or being opened. Prevents that two tenants share one. */
export class TenantsInUse {
  private readonly byName = new Map<string, ResolvedTenantOptions>();
  private readonly bySchema = new Map<string, ResolvedTenantOptions>();

  /** @throws ConfigurationError if another tenant has the name or the schema, or one that differs only in case */
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

  /** The tenant on this schema, if there is one. */
  onSchema(place: SchemaPlace): ResolvedTenantOptions | undefined {
    return this.bySchema.get(schemaKey(place));
  }
}

/** A schema and the connection to its database. */
export type SchemaPlace = ConnectionSource & { readonly schema: string };

function nameKey({ tenant }: ResolvedTenantOptions): string {
  return tenant.toLowerCase();
}

/** The same for one schema of one database, whichever login connects to it. */
export function schemaKey({ schema, databaseUrl, connection = {} }: SchemaPlace): string {
  return `${databaseKey({ databaseUrl, connection })} ${schema.toLowerCase()}`;
}

/** Whether an open tenant has exactly the requested options. Classes must be identical. */
export function isSameTenant(open: ResolvedTenantOptions, asked: ResolvedTenantOptions): boolean {
  return isDeepStrictEqual(open, asked);
}
