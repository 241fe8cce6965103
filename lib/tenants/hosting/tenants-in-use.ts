import { isDeepStrictEqual } from 'node:util';
import { ConfigurationError, DuplicateSchemaError } from '../../errors/index.js';
import { checkTenants } from '../../options/index.js';
import { databaseKey } from '../../store/postgres/connections/connection-config.js';
import type { ConnectionSource } from '../../store/postgres/connections/connection-config.js';
import type { ResolvedTenantOptions } from '../../options/index.js';

/** The names and schemas of all tenants that are open or being opened. Prevents that two tenants share one. */
export class TenantsInUse {
  private readonly byName = new Map<string, ResolvedTenantOptions>();
  private readonly bySchema = new Map<string, ResolvedTenantOptions>();
  /** The server of each schema, if forRoot names servers. */
  private readonly serverOf = new Map<string, string>();

  /**
   * @throws ConfigurationError if another tenant has the name or the schema, or one that differs only in case
   * @throws DuplicateSchemaError if the schema is served on another of the servers
   */
  add(options: ResolvedTenantOptions): void {
    this.refuseOtherServer(options);
    const [name, schema] = [nameKey(options), schemaKey(options)];
    const others = new Set([this.byName.get(name), this.bySchema.get(schema)]);
    const known = [...others].filter((other) => other !== undefined);
    const problems = known.length === 0 ? [] : checkTenants([...known, options]);
    if (problems.length > 0) throw new ConfigurationError(problems);
    this.byName.set(name, options);
    this.bySchema.set(schema, options);
    if (options.server !== undefined)
      this.serverOf.set(options.schema.toLowerCase(), options.server);
  }

  delete(options: ResolvedTenantOptions): void {
    this.byName.delete(nameKey(options));
    this.bySchema.delete(schemaKey(options));
    this.serverOf.delete(options.schema.toLowerCase());
  }

  /** Notes that a tenant has moved to another server. @throws ConfigurationError if another tenant has its schema there */
  move(from: ResolvedTenantOptions, to: ResolvedTenantOptions): void {
    this.delete(from);
    try {
      this.add(to);
    } catch (error) {
      this.add(from);
      throw error;
    }
  }

  /** @throws DuplicateSchemaError if the schema is served on another of the servers */
  refuseOtherServer({ schema, server }: Pick<ResolvedTenantOptions, 'schema' | 'server'>): void {
    const other = this.serverOf.get(schema.toLowerCase());
    if (server === undefined || other === undefined || other === server) return;
    throw new DuplicateSchemaError(schema, [other, server]);
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
