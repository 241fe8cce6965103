import { quietPool } from '../../store/postgres/connections/pools.js';
import { readRows } from '../../store/postgres/connections/own-types.js';
import type { AdminSession } from '../admin/admin-session.js';
import {
  alreadyThere,
  assertMayCreate,
  isComplete,
  makeRoleAndSchema,
  openForLogin,
  type TenantNames,
} from '../admin/create-tenant.js';
import { generatePassword, scramVerifier } from '../admin/scram-verifier.js';
import { readTenantState } from '../admin/tenant-state.js';
import { ensureIsolationRole } from '../migrations/isolation-role.js';
import type { MoveSide } from './move-side.js';

/** Makes the tenant's own login on the target, which can't log in yet, and its empty schema. As createTenant() does. */
export async function makeLogin(there: AdminSession, names: TenantNames): Promise<void> {
  if (isComplete(names, await readTenantState(there, names))) throw alreadyThere(names);
  assertMayCreate(there);
  await makeRoleAndSchema(there, names);
}

/**
 * Lets the tenant's login log in on the target, with its password if this login may read it.
 *
 * @returns what is left to do by hand
 */
export async function openLogin(
  here: AdminSession,
  there: AdminSession,
  names: TenantNames,
): Promise<string[]> {
  const stored = await readVerifier(here, names.username);
  await openForLogin(there, names, stored ?? (await scramVerifier(generatePassword())));
  if (stored !== undefined) return [];
  return [
    `The password of the role ${JSON.stringify(names.username)} could not be copied, because only superusers may read it. ` +
      'Call rotatePassword(), and give the new password to the processes of the tenant.',
  ];
}

/** The stored form of a role's password; undefined if this login may not read it. The password itself is not in it. */
async function readVerifier({ client }: AdminSession, role: string): Promise<string | undefined> {
  const [right] = await readRows<{ mayRead: boolean }>(
    client,
    `SELECT has_column_privilege('pg_catalog.pg_authid', 'rolpassword', 'SELECT') AS "mayRead"`,
  );
  if (right?.mayRead !== true) return undefined;
  const [row] = await readRows<{ verifier: string | null }>(
    client,
    'SELECT rolpassword AS verifier FROM pg_catalog.pg_authid WHERE rolname = $1',
    [role],
  );
  return row?.verifier ?? undefined;
}

/** Makes the role of `isolation: 'role'` on the target. Later boots find it in order. */
export async function makeIsolationRole(side: MoveSide, schema: string): Promise<void> {
  const pool = quietPool({ ...side.migrationConfig(), max: 2 });
  try {
    await ensureIsolationRole({ pool, tenant: schema, schema });
  } finally {
    await pool.end();
  }
}
