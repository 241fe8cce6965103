import { NotAllowedError, TenantIncompleteError } from '../../errors/index.js';
import { sqlState, SqlState } from '../../store/postgres/sql-state.js';
import { quoteIdentifier } from '../quote-identifier.js';
import { readRefusal } from '../moving/schema-places.js';
import { type AdminSession, joinRole, lockTenant } from './admin-session.js';
import { assertNotMoving } from './assert-not-moving.js';
import { setStage } from './create-tenant.js';
import { dropInParts } from './drop-in-parts.js';
import { foreignDependents, grantedByOthers, ownedElsewhere } from './foreign-objects.js';
import { endConnections, insistently, stopWork, untilIdle } from './stop-tenant.js';
import { describeState, readTenantState, type TenantState } from './tenant-state.js';

export interface Removal {
  readonly schema: string;
  readonly username: string | undefined;
  readonly drainMs: number;
  /** The name of the session's server. */
  readonly server: string | undefined;
  /** Whether it is removed although a move of it is not finished. */
  readonly duringMove: boolean;
  readonly release: ((schema: string, drainMs: number) => Promise<void>) | undefined;
}

/**
 * Removes a tenant. Every step is one transaction or can be repeated, so a call after an interruption starts anew and
 * finishes. The drops are one transaction, so no tenant is left with half of its tables.
 */
export async function removeTenantFrom(
  session: AdminSession,
  { schema, username, drainMs, server, duringMove, release }: Removal,
): Promise<string[]> {
  const { client } = session;
  await lockTenant(session, { schema, username });
  // A mover has the lock until it ends, and the state of the move was another one before.
  if (!duringMove) await assertNotMoving(session, schema, server);
  const state = await readTenantState(session, { schema, username });
  await assertRemovable(session, schema, username, state);
  const found = describeState(schema, state);
  if (found.length === 0) return [];

  const end = performance.now() + drainMs;
  const left = (): number => Math.max(0, end - performance.now());
  await release?.(schema, drainMs);
  for (const role of rolesOf(state)) await joinRole(session, role);
  const { login } = state;
  if (login !== undefined) await setStage(session, { schema, username: login.name }, 'removing');
  // A schema that refuses writes has no work.
  if (state.schema?.hasTables === true && (await readRefusal(client, schema)) === undefined) {
    if (await stopWork(client, schema, left())) await untilIdle(client, schema, left());
  }
  await dropFound(session, schema, state);
  return found;
}

function rolesOf(state: TenantState): string[] {
  return [state.login?.name, state.isolationRole].filter((role) => role !== undefined);
}

/**
 * Drops what exists of a tenant, and ends the connections of its login. Nothing may work in the schema any more, and the session
 * has the lock of the tenant.
 */
export async function dropFound(
  session: AdminSession,
  schema: string,
  state: TenantState,
): Promise<void> {
  const { client } = session;
  const { login } = state;
  const roles = rolesOf(state);
  for (const role of roles) await joinRole(session, role);
  if (login !== undefined) {
    // Not earlier: a process may have to reconnect to record the outcomes of its last handlers.
    await client.query(`ALTER ROLE ${quoteIdentifier(login.name)} NOLOGIN`);
    await endConnections(client, login.name);
  }
  const dropAll = (): Promise<void> =>
    insistently(client, schema, () => drop(session, schema, state, roles));
  await dropAll().catch(async (error: unknown) => {
    if (sqlState(error) !== SqlState.outOfMemory) throw error;
    // The schema has more objects than the server has locks for in one transaction.
    await dropInParts(client, schema, (part) =>
      insistently(client, schema, async () => {
        await assertNothingDepends(session, schema);
        await part();
      }),
    );
    await dropAll();
  });
  await assertGone(session, schema, describeState(schema, state));
}

async function drop(
  session: AdminSession,
  schema: string,
  state: TenantState,
  roles: readonly string[],
): Promise<void> {
  const { client } = session;
  if (state.schema !== undefined) {
    // Checked again: a dependent may have been created since, and CASCADE would drop it.
    await assertNothingDepends(session, schema);
    await client.query(`DROP SCHEMA ${quoteIdentifier(schema)} CASCADE`);
  }
  for (const role of roles) {
    await assertOwnsNothingElse(session, schema, role);
    // Only the rights granted to the role and its default privileges remain.
    await client.query(`DROP OWNED BY ${quoteIdentifier(role)}`);
    await assertUnmentioned(session, schema, state, role);
    await client.query(`DROP ROLE ${quoteIdentifier(role)}`);
  }
}

async function assertRemovable(
  session: AdminSession,
  schema: string,
  username: string | undefined,
  state: TenantState,
): Promise<void> {
  const name = JSON.stringify(schema);
  if (username !== undefined && username !== state.login?.name) {
    if (state.foreignRole || state.login !== undefined) {
      const its = state.login === undefined ? 'none' : JSON.stringify(state.login.name);
      throw new NotAllowedError(
        `removeTenant() with the role ${JSON.stringify(username)}`,
        `it is not the role that createTenant() made for schema ${name}, which is ${its}`,
        'Omit the username, and drop other roles yourself.',
      );
    }
  }
  if (
    state.schema !== undefined &&
    !state.schema.hasTables &&
    state.schema.owner !== state.login?.name
  ) {
    throw new NotAllowedError(
      `removeTenant() of ${name}`,
      "the schema contains none of the library's tables, so it does not belong to a tenant",
      'Check the name.',
    );
  }
  if (state.schema !== undefined) await assertNothingDepends(session, schema);
  for (const role of [state.login?.name, state.isolationRole]) {
    if (role !== undefined) await assertOwnsNothingElse(session, schema, role);
  }
}

async function assertNothingDepends({ client }: AdminSession, schema: string): Promise<void> {
  const dependents = await foreignDependents(client, schema);
  if (dependents.length === 0) return;
  throw new NotAllowedError(
    `removeTenant() of ${JSON.stringify(schema)}`,
    `objects outside of the schema depend on objects in it and would be dropped too: ${dependents.join(', ')}`,
    'Drop or change them first.',
  );
}

async function assertOwnsNothingElse(
  { client }: AdminSession,
  schema: string,
  role: string,
): Promise<void> {
  const owned = await ownedElsewhere(client, schema, role);
  if (owned.length === 0) return;
  throw new NotAllowedError(
    `removeTenant() of ${JSON.stringify(schema)}`,
    `its role ${JSON.stringify(role)} is in use elsewhere: ${owned.join(', ')}`,
    'Reassign its objects to another role, and revoke its rights in other databases.',
  );
}

/** Checks that nothing else mentions the role. DROP ROLE would only say that some object depends on it. */
async function assertUnmentioned(
  { client }: AdminSession,
  schema: string,
  state: TenantState,
  role: string,
): Promise<void> {
  const granted = await grantedByOthers(client, role);
  if (granted.length === 0) return;
  throw new TenantIncompleteError({
    operation: 'removeTenant',
    schema,
    remaining: describeState(schema, state),
    advice:
      `Other roles have granted its role ${JSON.stringify(role)} rights on ${granted.join(', ')}. Let them revoke these, ` +
      'then call removeTenant() again.',
  });
}

/** Checks in the catalogs that nothing remains. */
async function assertGone(
  session: AdminSession,
  schema: string,
  found: readonly string[],
): Promise<void> {
  const left = describeState(schema, await readTenantState(session, { schema }));
  if (left.length === 0) return;
  throw new TenantIncompleteError({
    operation: 'removeTenant',
    schema,
    remaining: left,
    advice: `This call found ${found.join(', ')}, and another session has created it again. Call removeTenant() again.`,
  });
}
