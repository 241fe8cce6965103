import type { AdminSession } from './admin-session.js';
import { CLOACINA_MIGRATIONS_TABLE } from '../../store/postgres/migrations/index.js';
import { fenceComment, refusalIn } from '../moving/schema-places.js';
import { isolationRoleName } from './role-name.js';
import { isolationPurpose, LOGIN_PURPOSE, stageOf, type LoginStage } from './role-purpose.js';

export interface TenantSchema {
  readonly owner: string;
  /** Whether the schema has the library's history table, so it is a tenant's, or was about to become one. */
  readonly hasTables: boolean;
  /** Whether the tenant lives on another server: it has moved there, or this is a copy that is not complete. */
  readonly livesElsewhere: boolean;
}

export interface TenantLogin {
  readonly name: string;
  readonly stage: LoginStage;
}

/** What the catalogs contain of a tenant. */
export interface TenantState {
  readonly schema: TenantSchema | undefined;
  /** The role that createTenant() created for the schema. */
  readonly login: TenantLogin | undefined;
  /** The role of `isolation: 'role'`, if the library created it. */
  readonly isolationRole: string | undefined;
  /** A schema, or a role, whose name differs from the requested one only in case. */
  readonly similarSchema: string | undefined;
  readonly similarRole: string | undefined;
  /** Whether a role of the requested name exists that is not this tenant's. */
  readonly foreignRole: boolean;
}

/** Reads the state of a tenant. `username` is the requested role, if the caller named one. */
export async function readTenantState(
  { client, database }: AdminSession,
  { schema, username }: { readonly schema: string; readonly username?: string | undefined },
): Promise<TenantState> {
  const schemas = await client.query<{
    name: string;
    owner: string;
    hasTables: boolean;
    fence: string | null;
  }>(
    `SELECT n.nspname AS name, pg_get_userbyid(n.nspowner) AS owner,
            EXISTS (SELECT FROM pg_catalog.pg_class c
                     WHERE c.relnamespace = n.oid AND c.relkind IN ('r', 'p') AND c.relname = $2::text) AS "hasTables",
            ${fenceComment('n.oid')} AS fence
       FROM pg_catalog.pg_namespace n WHERE lower(n.nspname) = lower($1::text)`,
    [schema, CLOACINA_MIGRATIONS_TABLE],
  );
  const isolation = isolationRoleName(database, schema);
  const roles = await client.query<{ name: string; comment: string | null }>(
    `SELECT r.rolname AS name, d.description AS comment
       FROM pg_catalog.pg_roles r
       LEFT JOIN pg_catalog.pg_shdescription d
         ON d.classoid = 'pg_catalog.pg_authid'::regclass AND d.objoid = r.oid
      WHERE lower(r.rolname) = lower($1::text) OR r.rolname = $2::text
         OR d.description LIKE '${LOGIN_PURPOSE}%'`,
    [username ?? null, isolation],
  );
  const place = { database, schema };
  const logins = roles.rows.flatMap(({ name, comment }) => {
    const stage = stageOf(comment, place);
    return stage === undefined ? [] : [{ name, stage }];
  });
  const same = schemas.rows.find(({ name }) => name === schema);
  const wanted = username?.toLowerCase();
  return {
    schema: same && { ...same, livesElsewhere: livesElsewhere(same.fence) },
    login: logins.find(({ name }) => name === username) ?? logins[0],
    isolationRole: roles.rows.find(
      ({ name, comment }) => name === isolation && comment === isolationPurpose(place),
    )?.name,
    similarSchema: schemas.rows.find(({ name }) => name !== schema)?.name,
    similarRole: roles.rows.find(({ name }) => name !== username && name.toLowerCase() === wanted)
      ?.name,
    foreignRole: roles.rows.some(
      ({ name }) => name === username && !logins.some((login) => login.name === name),
    ),
  };
}

function livesElsewhere(fence: string | null): boolean {
  const state = refusalIn(fence)?.state;
  return state === 'moved' || state === 'arriving';
}

/** Lists for messages what exists of the tenant. */
export function describeState(schema: string, state: TenantState): string[] {
  return [
    ...(state.schema === undefined ? [] : [`schema ${JSON.stringify(schema)}`]),
    ...[state.login?.name, state.isolationRole].flatMap((role) =>
      role === undefined ? [] : [`role ${JSON.stringify(role)}`],
    ),
  ];
}
