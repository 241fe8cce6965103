/** The database and the schema of the tenant to which a role belongs. */
export interface TenantPlace {
  readonly database: string;
  readonly schema: string;
}

/** How far the login of a tenant has been set up, or removed. */
export type LoginStage = 'creating' | 'ready' | 'removing';

const NOTES: Readonly<Record<LoginStage, string>> = {
  creating: ', being created',
  ready: '',
  removing: ', being removed',
};

/** The prefix of the comment on every tenant's login. */
export const LOGIN_PURPOSE = 'nestjs-cloacina: login of ';

/**
 * The comment on a tenant's login role. It marks the roles that the library created, and the library changes no others.
 * The stage in it lets a later call continue an interrupted one.
 */
export function loginPurpose(place: TenantPlace, stage: LoginStage): string {
  return `${LOGIN_PURPOSE}${describePlace(place)}${NOTES[stage]}`;
}

/** The prefix of the comment on every isolation role. */
const ISOLATION_PURPOSE = 'nestjs-cloacina: isolation of ';

/** The comment on the role of `isolation: 'role'`. */
export function isolationPurpose(place: TenantPlace): string {
  return `${ISOLATION_PURPOSE}${describePlace(place)}`;
}

/** An SQL condition: whether the library made the role for a tenant. `role` is an SQL expression for an oid. */
export function isRoleOfTenant(role: string): string {
  return hasPurpose(role, [LOGIN_PURPOSE, ISOLATION_PURPOSE]);
}

/** An SQL condition: whether `createTenant()` made the role as a tenant's login. `role` is an SQL expression for an oid. */
export function isTenantLogin(role: string): string {
  return hasPurpose(role, [LOGIN_PURPOSE]);
}

function hasPurpose(role: string, prefixes: readonly string[]): string {
  const patterns = prefixes.map((prefix) => `'${prefix}%'`).join(', ');
  return `EXISTS (SELECT FROM pg_catalog.pg_shdescription d
                         WHERE d.classoid = 'pg_catalog.pg_authid'::pg_catalog.regclass AND d.objoid = ${role}
                           AND d.description LIKE ANY (ARRAY[${patterns}]))`;
}

/** The stage of this tenant's login; undefined if the comment is not that of this tenant's login. */
export function stageOf(comment: string | null, place: TenantPlace): LoginStage | undefined {
  const stages: readonly LoginStage[] = ['creating', 'ready', 'removing'];
  return stages.find((stage) => comment === loginPurpose(place, stage));
}

function describePlace({ database, schema }: TenantPlace): string {
  return `schema ${JSON.stringify(schema)} in database ${JSON.stringify(database)}`;
}
