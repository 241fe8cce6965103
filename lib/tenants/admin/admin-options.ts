import type { CloacinaError } from '../../errors/index.js';
import type { Duration } from '../../workflow/duration.js';
import type { MoveOptions } from '../moving/move-options.js';
import type { ApplicationMigrations } from '../moving/target-schema.js';
import type { TenantMove } from '../moving/tenant-move.js';
import type { AdminServersOptions } from './admin-servers.js';

/** Options of {@link CloacinaAdmin}: the connection of the login that creates and removes tenants. */
export interface CloacinaAdminOptions extends AdminServersOptions {
  /**
   * Stops serving the schema in this process. {@link CloacinaAdmin.removeTenant} calls it first. The module's own admin
   * removes the tenant from `CloacinaTenants`.
   */
  readonly release?: (schema: string, drainMs: number, server?: string) => Promise<void>;
}

/** Options of {@link CloacinaAdmin.createTenant} and {@link CloacinaAdmin.rotatePassword}. */
export interface CreateTenantOptions {
  /** 1 to 63 letters, digits and underscores. `public` is not allowed. */
  schema: string;
  /** Name of the role to create, by the same rules. Roles belong to the whole server, so the name must be new there. */
  username: string;
  /** 8 to 256 printable ASCII characters. Default: a generated password of 192 random bits. */
  password?: string;
  /**
   * The name of the tenant's server, with the option `servers`. Default: the server that has the tenant already, else the one
   * that `placeTenant` chooses.
   */
  server?: string;
  /**
   * Makes a new tenant on the named `server` although others can't be reached. Give it only if none of those has the schema, and no
   * other call makes it there at the same time: the tenant would be on two servers, and processes would serve neither. Default: false.
   */
  othersMayBeAway?: boolean;
}

/** The login of a tenant. The library does not store it: a lost password can only be replaced. */
export interface TenantCredentials {
  /** The schema of the tenant. */
  schema: string;
  /** The name of the role, which is the login of the tenant. */
  username: string;
  /** The password of the role. */
  password: string;
  /** The name of the tenant's server. Absent without the option `servers`. */
  server?: string;
  /** URL for `databaseUrl` of `CloacinaModule.forTenant()`. Special characters in it are encoded. */
  connectionString: string;
}

/**
 * Options of {@link CloacinaAdmin.removeTenant}.
 *
 * @example
 * ```ts
 * await admin.removeTenant({ schema: 'tenant_acme', drain: '1m' });
 * ```
 */
export interface RemoveTenantOptions {
  /** The schema to drop, with everything in it. */
  schema: string;
  /** The role that `createTenant()` created for the schema, which is dropped too. Default: found by the schema. */
  username?: string;
  /** How long running handlers may continue before their connections are ended. Default: 30 s. */
  drain?: Duration;
  /** The name of the tenant's server, with the option `servers`. Default: the server that has the tenant. */
  server?: string;
  /**
   * Removes the tenant also while a move of it to another server is not finished: without `server`, with all that the move has made
   * or left on any server. Default: false, and the call is refused then.
   */
  duringMove?: boolean;
}

/**
 * Options of {@link CloacinaAdmin.moveTenant}.
 *
 * @example
 * ```ts
 * await admin.moveTenant({ schema: 'tenant_acme', to: 'us' });
 * ```
 */
export interface MoveTenantOptions extends MoveOptions, ApplicationMigrations {
  /** The schema to move. */
  readonly schema: string;
}

/** A tenant in the list of {@link CloacinaAdmin.listTenants}. */
export interface ListedTenant {
  /** The schema of the tenant. */
  schema: string;
  /** The name of the tenant. */
  tenant: string;
  /** The newest migration that is applied. */
  version: string;
  /** The name of its server. Absent without the option `servers`. */
  server?: string;
  /** Its move to another server. Absent without one. */
  move?: ListedMove;
}

/** A move in the list of {@link CloacinaAdmin.listTenants}. */
export interface ListedMove extends Omit<TenantMove, 'isInterrupted'> {
  /**
   * As in {@link TenantMove}. Null for a copy (`arriving`) whose source was not read: only the source knows whether a process carries
   * the move out.
   */
  readonly isInterrupted: boolean | null;
}

/**
 * Options of {@link CloacinaAdmin.listTenants}.
 *
 * @example
 * ```ts
 * const tenants = await admin.listTenants({ onAway: (server, { message }) => console.warn(server, message) });
 * ```
 */
export interface ListTenantsOptions {
  /**
   * Called for each of the `servers` that could not be reached; the tenants of the others are listed. Default: the call rejects for such
   * a server. It also rejects if no server could be reached.
   */
  onAway?: (server: string, error: CloacinaError) => void;
}
