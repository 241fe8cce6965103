import { DURATION_FORM, parseDuration } from '../../workflow/duration.js';
import { type CloacinaError, InvalidArgumentError, NotAllowedError } from '../../errors/index.js';
import { formatValue } from '../../errors/option-checks.js';
import { databasePlace } from '../../store/postgres/connections/connection-config.js';
import { assertSchemaName } from '../../options/schema-name.js';
import { type AdminOperation, explainAdminFailure } from './admin-failure.js';
import { type AdminSession, inAdminSession, joinRole, lockTenant } from './admin-session.js';
import type {
  CloacinaAdminOptions,
  CreateTenantOptions,
  ListedTenant,
  ListTenantsOptions,
  MoveTenantOptions,
  RemoveTenantOptions,
  TenantCredentials,
} from './admin-options.js';
import { AdminServers, type ServerState } from './admin-servers.js';
import { TenantPlacement } from './tenant-placement.js';
import { assertNotMoving } from './assert-not-moving.js';
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
import type { MoveServers } from '../moving/tenant-places.js';
import { dropCopies, finishMove, type FinishedMove } from '../moving/finish-move.js';
import type { MoveReport } from '../moving/move-options.js';
import { moveTenant } from '../moving/move-tenant.js';
import { isUnreachable } from '../hosting/tenant-arrival.js';
import { joinLists, listTenantSchemas } from './list-tenants.js';
import { removeTenantFrom } from './remove-tenant.js';
import { assertRoleName } from './role-name.js';
import { generatePassword, scramVerifier, validatePassword } from './scram-verifier.js';
import { readTenantState } from './tenant-state.js';

/** Default of `drain` of removeTenant(), in milliseconds. */
const DEFAULT_DRAIN_MS = 30_000;

/**
 * Creates and removes tenants with logins of their own, each of which can use its schema and nothing else. The injected
 * instance connects to the database of forRoot with forRoot's login. To use another login, construct an instance.
 *
 * The login need not be a superuser: it needs CREATEROLE, and CREATE on the database. It must not connect through a
 * transaction pooler.
 *
 * @example
 * ```ts
 * const { connectionString } = await admin.createTenant({ schema: 'tenant_acme', username: 'acme' });
 * await tenants.add({ tenant: 'acme', schema: 'tenant_acme', databaseUrl: connectionString });
 * ```
 */
export class CloacinaAdmin {
  private readonly servers: AdminServers;
  private readonly placement: TenantPlacement;

  constructor(private readonly options: CloacinaAdminOptions = {}) {
    this.servers = new AdminServers(options, (server, work) =>
      this.inSession('listTenants', undefined, work, server),
    );
    this.placement = new TenantPlacement(this.servers, options.placeTenant);
  }

  /**
   * Creates a tenant: a role that can log in, a schema that the role owns, and the library's tables. After an interruption
   * at any point, call it again. Concurrent calls are safe.
   *
   * Only a SCRAM-SHA-256 verifier is sent to the server, never the password itself.
   *
   * With the option `servers`, all servers must answer before a new tenant is made: one that is away may have it already. With
   * `server` and `othersMayBeAway`, only that one must.
   *
   * @throws TenantExistsError if the tenant is complete, unless `password` is given and is the tenant's password
   * @throws SchemaNameError, InvalidArgumentError for invalid names and passwords, and for names in use by others
   * @throws DuplicateSchemaError if another of the servers has a tenant on the schema
   * @throws DatabaseUnavailableError if a server could not be reached
   * @throws PermissionError if the login lacks a right; NotAllowedError if every role may create objects in some schema,
   *   and if a move of the tenant to another server is not complete
   * @throws TenantIncompleteError if the tenant could not be completed, is being removed, or if its login has dropped the
   *   library's tables. The tenant's own process creates them again; this login runs nothing in a schema that the tenant
   *   can change
   */
  async createTenant(options: CreateTenantOptions): Promise<TenantCredentials> {
    const names = checkNames(options);
    const { password = generatePassword() } = options;
    assertPassword(password);
    const verifier = await scramVerifier(password);
    const { server: wanted, othersMayBeAway = false } = options;
    return this.placement.withPlace({ schema: names.schema, wanted, othersMayBeAway }, (server) =>
      this.createOn(server, names, { password, verifier, isGiven: options.password !== undefined }),
    );
  }

  private createOn(
    server: string | undefined,
    names: TenantNames,
    given: { readonly password: string; readonly verifier: string; readonly isGiven: boolean },
  ): Promise<TenantCredentials> {
    const { password, verifier, isGiven } = given;
    const source = this.servers.source(server);
    const create = async (session: AdminSession): Promise<TenantCredentials> => {
      await lockTenant(session, names);
      const credentials = this.credentials(session, names, password, server);
      if (isComplete(names, await readTenantState(session, names))) {
        const isIts = isGiven && (await logsIn(credentials.connectionString));
        if (!isIts) throw alreadyThere(names);
        return credentials;
      }
      assertMayCreate(session);
      await makeRoleAndSchema(session, names);
      await migrateAsRole(source, names);
      await openForLogin(session, names, verifier);
      return credentials;
    };
    return this.inSession('createTenant', names.schema, create, server);
  }

  /**
   * Replaces the password of a tenant's role. Open connections stay open; new connections need the new password.
   *
   * @param options.password - as for {@link createTenant}
   * @throws InvalidArgumentError if the role is not the one that createTenant() created for the schema
   */
  async rotatePassword(options: CreateTenantOptions): Promise<TenantCredentials> {
    const names = checkNames(options);
    const { password = generatePassword() } = options;
    assertPassword(password);
    const verifier = await scramVerifier(password);
    const server = await this.servers.find(names.schema, options.server);
    const rotate = async (session: AdminSession): Promise<TenantCredentials> => {
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
      return this.credentials(session, names, password, server);
    };
    return this.inSession('rotatePassword', names.schema, rotate, server);
  }

  /**
   * Removes a tenant permanently: its schema with everything in it, its role, and the rights granted to that role.
   *
   * Work stops first. No process starts or claims anything more, running handlers may finish within `drain`, and then the
   * role's connections are terminated. The call does not wait if the tenant's login has changed the library's tables
   * (triggers, views, policies), because this login must not run code of the tenant.
   *
   * After an interruption at any point, call it again. If nothing of the tenant exists, it resolves with an empty list.
   *
   * @returns descriptions of what this call dropped, such as `schema "tenant_acme"` and `role "acme"`
   * @throws NotAllowedError for `public`, for a schema that does not belong to a tenant, for a role that is not this
   *   tenant's or owns objects elsewhere, if objects outside of the schema depend on objects in it, and if a move of the tenant is not
   *   finished, unless `duringMove` is given
   * @throws TenantIncompleteError if something remains, with a list of it
   * @throws PermissionError if the login lacks a right
   */
  async removeTenant(options: RemoveTenantOptions): Promise<{ dropped: string[] }> {
    const { schema, username, duringMove = false } = options;
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
        'the schema may contain more than the tenant',
        'Revert the migrations there with CloacinaMigrator.revert().',
      );
    }
    if (!duringMove) {
      await this.servers.onEach(options.server, (session, server) =>
        assertNotMoving(session, schema, server),
      );
    }
    const server = await this.servers.find(schema, options.server);
    const release = this.options.release?.bind(this.options);
    const remove = async (session: AdminSession): Promise<{ dropped: string[] }> => ({
      dropped: await removeTenantFrom(session, {
        schema,
        username,
        drainMs,
        server,
        duringMove,
        release: release && ((its, ms) => release(its, ms, server)),
      }),
    });
    const removed = await this.inSession('removeTenant', schema, remove, server);
    if (!duringMove || options.server !== undefined || this.servers.names.length === 1)
      return removed;
    // Copies that moves have left would be all that is there of the tenant.
    const copies = await dropCopies(this.moveServers(), schema);
    return { dropped: [...removed.dropped, ...copies] };
  }

  /**
   * Lists the schemas of the database that contain the library's tables, each with the name of its tenant and the newest
   * migration applied to it. The name is that under which a process has added the tenant; the owner of the tables may change it.
   * The version is `unknown` if this login may not read it, if the table is locked, or if the tenant has changed it. With the option
   * `servers`, it lists those of all servers.
   *
   * @throws DatabaseUnavailableError if a server could not be reached; with `onAway` only if none could
   */
  async listTenants({ onAway }: ListTenantsOptions = {}): Promise<ListedTenant[]> {
    const { names } = this.servers;
    const away = new Map<string, CloacinaError>();
    const lists = await Promise.all(
      names.map(async (server) => {
        const tenants = await this.inSession(
          'listTenants',
          undefined,
          (session) => listTenantSchemas(session.client),
          server,
        ).catch((error: unknown) => {
          if (onAway === undefined || server === undefined || !isUnreachable(error)) throw error;
          away.set(server, error);
          return undefined;
        });
        return tenants === undefined ? [] : [{ server, tenants }];
      }),
    );
    const [first] = away.values();
    if (first !== undefined && away.size === names.length) throw first;
    for (const server of names) {
      const error = away.get(server ?? '');
      if (error !== undefined) onAway?.(server ?? '', error);
    }
    return joinLists(lists.flat());
  }

  /**
   * Lists the servers of the option `servers`, or the only one, with what a choice among them needs: the number of tenants, the
   * size of the database, and its connections. It does not reject for a server that can't be reached.
   */
  listServers(): Promise<ServerState[]> {
    return this.servers.list();
  }

  /**
   * Moves a tenant with everything in its schema to another of the `servers`. It works as usual while its rows are copied, and
   * stands still for a short time at the end. A call after an interruption at any point goes on with the move, or makes it anew;
   * if the tenant is on that server already, it does nothing.
   *
   * Without `migrations`, the schema on the new server gets the tables of the library only. In an application,
   * {@link CloacinaTenants.move} passes its own migrations.
   *
   * @throws MoveNotPossibleError with everything that can't be moved; nothing has changed
   * @throws MoveFailedError if running tasks did not end in time, or if a server was lost. It says whether the move was undone
   * @throws InvalidArgumentError if no server has the tenant, or if `to` is not one of them
   * @throws DatabaseUnavailableError if a server could not be reached
   */
  async moveTenant(options: MoveTenantOptions): Promise<MoveReport> {
    const { schema, to, dryRun = false, onProgress } = options;
    assertSchemaName(schema);
    this.servers.check(to);
    const drainMs =
      options.drainTimeout === undefined ? DEFAULT_DRAIN_MS : parseDuration(options.drainTimeout);
    if (drainMs === undefined) {
      throw new InvalidArgumentError(
        'drainTimeout',
        `must be ${DURATION_FORM}, not ${formatValue(options.drainTimeout)}`,
      );
    }
    const { migrations, migrationsTableName, searchPath } = options;
    return moveTenant(this.moveServers(), {
      schema,
      to,
      dryRun,
      drainMs,
      onProgress,
      migrations,
      migrationsTableName,
      searchPath,
    });
  }

  /**
   * Drops what moves of a tenant have left behind: the schema on the servers that it has moved away from, with the tenant's login
   * there. Call it when nothing needs the old copy any more. It completes an interrupted switch first, and undoes a move that was
   * interrupted before.
   *
   * @throws InvalidArgumentError if no server has the tenant
   * @throws NotAllowedError if the tenant is being moved
   */
  async finishMove(options: { readonly schema: string }): Promise<FinishedMove> {
    assertSchemaName(options.schema);
    return finishMove(this.moveServers(), options.schema);
  }

  private moveServers(): MoveServers {
    const names = this.servers.names.filter((name) => name !== undefined);
    if (names.length === 0)
      throw new InvalidArgumentError('to', 'needs the option servers, of which it is one');
    const began = performance.now();
    return {
      names,
      source: (server) => this.servers.source(server),
      explain: (failure, server) =>
        explainAdminFailure(failure, {
          operation: 'moveTenant',
          schema: undefined,
          place: { ...databasePlace(this.servers.source(server)), server },
          began,
        }),
    };
  }

  private inSession<T>(
    operation: AdminOperation,
    schema: string | undefined,
    work: (session: AdminSession) => Promise<T>,
    server?: string,
  ): Promise<T> {
    const began = performance.now();
    const source = this.servers.source(server);
    const place = { ...databasePlace(source), ...(server === undefined ? {} : { server }) };
    const call = { operation, schema, place, began };
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

  private credentials(
    { client, database }: AdminSession,
    { schema, username }: TenantNames,
    password: string,
    server: string | undefined,
  ): TenantCredentials {
    const login = { database, username, password };
    const { connection, databaseUrl } = this.servers.source(server);
    const adminUrl = connection?.url ?? databaseUrl;
    const connectionString = connectionStringFor(client, login, adminUrl);
    return {
      schema,
      username,
      password,
      connectionString,
      ...(server === undefined ? {} : { server }),
    };
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
