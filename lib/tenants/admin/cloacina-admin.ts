import { DURATION_FORM, parseDuration, type Duration } from '../../workflow/duration.js';
import { InvalidArgumentError, NotAllowedError } from '../../errors/index.js';
import { formatValue } from '../../errors/option-checks.js';
import {
  databasePlace,
  type ConnectionSource,
} from '../../store/postgres/connections/connection-config.js';
import { assertSchemaName } from '../../options/schema-name.js';
import { type AdminOperation, explainAdminFailure } from './admin-failure.js';
import { type AdminSession, inAdminSession, joinRole, lockTenant } from './admin-session.js';
import { adminSource } from './admin-source.js';
import { connectionStringFor } from './connection-string.js';
import {
  alreadyThere,
  assertMayCreate,
  isComplete,
  logsIn,
  makeRoleAndSchema,
  migrateAsRole,
  openForLogin,
  type TenantNames,
} from './create-tenant.js';
import { listTenantSchemas } from './list-tenants.js';
import { removeTenantFrom } from './remove-tenant.js';
import { assertRoleName } from './role-name.js';
import { generatePassword, scramVerifier, validatePassword } from './scram-verifier.js';
import { readTenantState } from './tenant-state.js';

/** How long {@link CloacinaAdmin.removeTenant} waits for running handlers unless told, in milliseconds. */
const DEFAULT_DRAIN_MS = 30_000;

/** The login with which tenants are made and removed. */
export interface CloacinaAdminOptions extends ConnectionSource {
  /**
   * Stops serving the schema in this process: called by {@link CloacinaAdmin.removeTenant} first. The module's own
   * admin removes the tenant from `CloacinaTenants`.
   */
  readonly release?: (schema: string, drainMs: number) => Promise<void>;
}

export interface CreateTenantOptions {
  /** 1 to 63 letters, digits and underscores, and not `public`. */
  schema: string;
  /** The role to make, by the same rules. Roles belong to the whole server, so it must be new there. */
  username: string;
  /** 8 to 256 printable ASCII characters. Default: a new one of 192 random bits. */
  password?: string;
}

/** How a tenant logs in. Nothing of it is kept anywhere: what is lost here is lost. */
export interface TenantCredentials {
  schema: string;
  username: string;
  password: string;
  /** For `databaseUrl` of `CloacinaModule.forTenant()`; what is special in it is encoded. */
  connectionString: string;
}

export interface RemoveTenantOptions {
  schema: string;
  /** The role that createTenant() made for the schema. Default: found by the schema. */
  username?: string;
  /** How long running handlers may go on. Default 30 s. */
  drain?: Duration;
}

/**
 * Makes and removes tenants with logins of their own, each of which can use its schema and nothing else. Works on the
 * database of forRoot, with its login; for another login, provide one of your own.
 *
 * The login need not be a superuser: it needs CREATEROLE, and CREATE on the database. It must not come through a
 * transaction pooler.
 *
 * @example
 * ```ts
 * const { connectionString } = await admin.createTenant({ schema: 'tenant_acme', username: 'acme' });
 * await tenants.add({ tenant: 'acme', schema: 'tenant_acme', databaseUrl: connectionString });
 * ```
 */
export class CloacinaAdmin {
  constructor(private readonly options: CloacinaAdminOptions = {}) {}

  /**
   * Makes a tenant: a role that can log in, a schema that belongs to it, and the library's tables. May be called again
   * after it was interrupted at any point, and any number of times at once.
   *
   * The server is sent a SCRAM-SHA-256 verifier and never the password.
   *
   * @throws TenantExistsError when the tenant is complete, unless `password` is given and is its password
   * @throws SchemaNameError, InvalidArgumentError for names and passwords that are refused, or in use otherwise
   * @throws PermissionError when the login lacks a right; NotAllowedError when every role may create objects in a schema
   * @throws TenantIncompleteError when it could not be finished, is being removed, or its login has dropped the library's
   *   tables: its own process makes them again, since nothing in its schema is run with this login's rights
   */
  async createTenant(options: CreateTenantOptions): Promise<TenantCredentials> {
    const names = checkNames(options);
    const { password = generatePassword() } = options;
    assertPassword(password);
    const verifier = await scramVerifier(password);
    const source = this.source();
    return this.inSession('createTenant', names.schema, async (session) => {
      await lockTenant(session, names);
      const credentials = this.credentials(session, names, password);
      if (isComplete(names, await readTenantState(session, names))) {
        const isIts =
          options.password !== undefined && (await logsIn(credentials.connectionString));
        if (!isIts) throw alreadyThere(names);
        return credentials;
      }
      assertMayCreate(session);
      await makeRoleAndSchema(session, names);
      await migrateAsRole(source, names);
      await openForLogin(session, names, verifier);
      return credentials;
    });
  }

  /**
   * Gives a tenant's role another password. Open connections stay; new ones need it.
   *
   * @param options.password - as for {@link createTenant}
   * @throws InvalidArgumentError when createTenant() has made no such role for the schema
   */
  async rotatePassword(options: CreateTenantOptions): Promise<TenantCredentials> {
    const names = checkNames(options);
    const { password = generatePassword() } = options;
    assertPassword(password);
    const verifier = await scramVerifier(password);
    return this.inSession('rotatePassword', names.schema, async (session) => {
      await lockTenant(session, names);
      const { login } = await readTenantState(session, names);
      if (login?.name !== names.username || login.stage !== 'ready') {
        throw new InvalidArgumentError(
          'username',
          `${JSON.stringify(names.username)} is not the role of a complete tenant with the schema ` +
            `${JSON.stringify(names.schema)}; call createTenant()`,
        );
      }
      await joinRole(session, names.username);
      await openForLogin(session, names, verifier);
      return this.credentials(session, names, password);
    });
  }

  /**
   * Removes a tenant for good: its schema with everything in it, its role, and what that role was granted. Work stops
   * first: nothing new is started or claimed, in any process; what runs may end within `drain`; then the role's
   * connections are ended. A tenant whose login has changed the library's tables (triggers, views, policies) is not
   * waited for, because this login must not run what is there.
   *
   * May be called again after it was interrupted at any point. For a tenant of which there is nothing it resolves
   * with an empty list.
   *
   * @returns what this call dropped, such as `schema "tenant_acme"` and `role "acme"`
   * @throws NotAllowedError for `public`, a schema that is no tenant's, a role that is not this tenant's or owns
   *   something elsewhere, and when something outside of the schema depends on what is in it
   * @throws TenantIncompleteError when something is left, with what that is
   * @throws PermissionError when the login lacks a right
   */
  async removeTenant(options: RemoveTenantOptions): Promise<{ dropped: string[] }> {
    const { schema, username } = options;
    assertSchemaName(schema);
    if (username !== undefined) assertRoleName(username);
    const drainMs = options.drain === undefined ? DEFAULT_DRAIN_MS : parseDuration(options.drain);
    if (drainMs === undefined)
      throw new InvalidArgumentError(
        'drain',
        `must be ${DURATION_FORM}, not ${formatValue(options.drain)}`,
      );
    if (schema === 'public') {
      throw new NotAllowedError(
        'removeTenant() of "public"',
        'the schema may hold more than the tenant',
        'Revert the migrations there with CloacinaMigrator.revert().',
      );
    }
    return this.inSession('removeTenant', schema, async (session) => ({
      dropped: await removeTenantFrom(session, {
        schema,
        username,
        drainMs,
        release: this.options.release,
      }),
    }));
  }

  /**
   * The schemas of the database that hold the library's tables, with the newest migration that was applied to each;
   * `unknown` where this login may not read that, the table is locked, or the tenant has changed it.
   */
  async listTenants(): Promise<{ schema: string; version: string }[]> {
    return this.inSession('listTenants', undefined, (session) => listTenantSchemas(session.client));
  }

  private inSession<T>(
    operation: AdminOperation,
    schema: string | undefined,
    work: (session: AdminSession) => Promise<T>,
  ): Promise<T> {
    const began = performance.now();
    const source = this.source();
    const call = { operation, schema, place: databasePlace(source), began };
    return inAdminSession(source, async (session) => {
      try {
        return await work(session);
      } catch (error) {
        throw await explainAdminFailure(error, { ...call, session });
      }
    }).catch(async (error: unknown) => {
      throw await explainAdminFailure(error, call);
    });
  }

  private source(): ConnectionSource {
    return adminSource(this.options);
  }

  private credentials(
    { client, database }: AdminSession,
    { schema, username }: TenantNames,
    password: string,
  ): TenantCredentials {
    const login = { database, username, password };
    const { connection, databaseUrl } = this.source();
    const adminUrl = connection?.url ?? databaseUrl;
    const connectionString = connectionStringFor(client, login, adminUrl);
    return { schema, username, password, connectionString };
  }
}

function checkNames({ schema, username }: CreateTenantOptions): TenantNames {
  assertSchemaName(schema);
  if (schema === 'public') {
    throw new InvalidArgumentError('schema', 'must not be "public", which every role may use');
  }
  assertRoleName(username);
  return { schema, username };
}

function assertPassword(password: unknown): void {
  const problem = validatePassword(password);
  if (problem !== undefined) throw new InvalidArgumentError('password', problem);
}
