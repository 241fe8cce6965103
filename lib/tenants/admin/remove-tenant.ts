import { NotAllowedError, TenantIncompleteError } from '../../errors/index.js';
import { sqlState, SqlState } from '../../store/postgres/sql-state.js';
import { quoteIdentifier } from '../quote-identifier.js';
import { type AdminSession, joinRole, lockTenant } from './admin-session.js';
import { setStage } from './create-tenant.js';
import { dropInParts } from './drop-in-parts.js';
import { foreignDependents, grantedByOthers, ownedElsewhere } from './foreign-objects.js';
import { endConnections, insistently, stopWork, untilIdle } from './stop-tenant.js';
import { describeState, readTenantState, type TenantState } from './tenant-state.js';

export interface Removal {
  readonly schema: string;
  readonly username: string | undefined;
  readonly drainMs: number;
  readonly release: ((schema: string, drainMs: number) => Promise<void>) | undefined;
}

/**
 * Every step is either one transaction or may be repeated, so that who was interrupted anywhere begins anew and comes
 * to the end. What is dropped is dropped in one transaction: there is no tenant with half of its tables.
 */
export async function removeTenantFrom(
  session: AdminSession,
  { schema, username, drainMs, release }: Removal,
): Promise<string[]> {
  const { client } = session;
  await lockTenant(session, { schema, username });
  const state = await readTenantState(session, { schema, username });
  await assertRemovable(session, schema, username, state);
  const found = describeState(schema, state);
  if (found.length === 0) return [];

  const end = performance.now() + drainMs;
  const left = (): number => Math.max(0, end - performance.now());
  await release?.(schema, drainMs);
  const roles = [state.login?.name, state.isolationRole].filter((role) => role !== undefined);
  for (const role of roles) await joinRole(session, role);
  const { login } = state;
  if (login !== undefined) await setStage(session, { schema, username: login.name }, 'removing');
  if (state.schema?.hasTables === true) {
    if (await stopWork(client, schema, left())) await untilIdle(client, schema, left());
  }
  if (login !== undefined) {
    // Not before: who ends work may have to connect anew, to record what came of it.
    await client.query(`ALTER ROLE ${quoteIdentifier(login.name)} NOLOGIN`);
    await endConnections(client, login.name);
  }
  const dropAll = (): Promise<void> =>
    insistently(client, schema, () => drop(session, schema, state, roles));
  await dropAll().catch(async (error: unknown) => {
    if (sqlState(error) !== SqlState.outOfMemory) throw error;
    // More objects than the server has locks for in one transaction.
    await dropInParts(client, schema, (part) =>
      insistently(client, schema, async () => {
        await assertNothingDepends(session, schema);
        await part();
      }),
    );
    await dropAll();
  });
  await assertGone(session, schema, found);
  return found;
}

async function drop(
  session: AdminSession,
  schema: string,
  state: TenantState,
  roles: readonly string[],
): Promise<void> {
  const { client } = session;
  if (state.schema !== undefined) {
    // Looked at again: it may have come since, and CASCADE would take it along.
    await assertNothingDepends(session, schema);
    await client.query(`DROP SCHEMA ${quoteIdentifier(schema)} CASCADE`);
  }
  for (const role of roles) {
    await assertOwnsNothingElse(session, schema, role);
    // What is left is what it was granted, and its default privileges.
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
        'Leave the username out, and drop other roles yourself.',
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
      "the schema has none of the library's tables, so it is no tenant's",
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
    `objects outside of the schema depend on what is in it and would be dropped with it: ${dependents.join(', ')}`,
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
    'Give what it owns to another role, and revoke what it was granted in other databases.',
  );
}

/** The server would say no more than that something depends on the role. */
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
      `Others have granted its role ${JSON.stringify(role)} rights on ${granted.join(', ')}. Have them revoke those, ` +
      'and call removeTenant() again.',
  });
}

/** The last word is the catalogs'. */
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
    advice: `There was ${found.join(', ')} at the beginning, and another session creates it again. Call removeTenant() again.`,
  });
}
