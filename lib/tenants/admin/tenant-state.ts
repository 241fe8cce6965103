import type { AdminSession } from './admin-session.js';
import { CLOACINA_MIGRATIONS_TABLE } from '../../store/postgres/migrations/index.js';
import { isolationRoleName } from './role-name.js';
import { isolationPurpose, LOGIN_PURPOSE, stageOf, type LoginStage } from './role-purpose.js';

export interface TenantSchema {
  readonly owner: string;
  /** It has the library's history: it is, or was going to be, a tenant's. */
  readonly hasTables: boolean;
}

export interface TenantLogin {
  readonly name: string;
  readonly stage: LoginStage;
}

/** What there is of a tenant in the catalogs. */
export interface TenantState {
  readonly schema: TenantSchema | undefined;
  /** The role that createTenant() made for the schema. */
  readonly login: TenantLogin | undefined;
  /** The role of `isolation: 'role'`. */
  readonly isolationRole: string | undefined;
  /** A schema and roles whose names differ from those that were asked for in case only. */
  readonly similarSchema: string | undefined;
  readonly similarRole: string | undefined;
  /** A role of the name that was asked for is there, and is not this tenant's. */
  readonly foreignRole: boolean;
}

/** Reads what there is of the tenant; `username` as it was asked for, if it was. */
export async function readTenantState(
  { client, database }: AdminSession,
  { schema, username }: { readonly schema: string; readonly username?: string | undefined },
): Promise<TenantState> {
  const schemas = await client.query<{ name: string; owner: string; hasTables: boolean }>(
    `SELECT n.nspname AS name, pg_get_userbyid(n.nspowner) AS owner,
            EXISTS (SELECT FROM pg_catalog.pg_class c
                     WHERE c.relnamespace = n.oid AND c.relkind IN ('r', 'p') AND c.relname = $2::text) AS "hasTables"
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
    schema: same,
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

/** For messages: what there is of the tenant. */
export function describeState(schema: string, state: TenantState): string[] {
  return [
    ...(state.schema === undefined ? [] : [`schema ${JSON.stringify(schema)}`]),
    ...[state.login?.name, state.isolationRole].flatMap((role) =>
      role === undefined ? [] : [`role ${JSON.stringify(role)}`],
    ),
  ];
}
