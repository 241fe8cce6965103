/** Whose a role is: the tenant's database and schema. */
export interface TenantPlace {
  readonly database: string;
  readonly schema: string;
}

/** How far a tenant's login is. */
export type LoginStage = 'creating' | 'ready' | 'removing';

const NOTES: Readonly<Record<LoginStage, string>> = {
  creating: ', being created',
  ready: '',
  removing: ', being removed',
};

/** How the comment on every tenant's login begins. */
export const LOGIN_PURPOSE = 'nestjs-cloacina: login of ';

/**
 * The comment on a tenant's login role. By it the library knows the roles that it made, and touches no others; and
 * what was interrupted in the middle is found and carried on.
 */
export function loginPurpose(place: TenantPlace, stage: LoginStage): string {
  return `${LOGIN_PURPOSE}${describePlace(place)}${NOTES[stage]}`;
}

/** The comment on the role of `isolation: 'role'`. */
export function isolationPurpose(place: TenantPlace): string {
  return `nestjs-cloacina: isolation of ${describePlace(place)}`;
}

/** The stage of a login of this tenant; undefined when the comment says that the role is something else. */
export function stageOf(comment: string | null, place: TenantPlace): LoginStage | undefined {
  const stages: readonly LoginStage[] = ['creating', 'ready', 'removing'];
  return stages.find((stage) => comment === loginPurpose(place, stage));
}

function describePlace({ database, schema }: TenantPlace): string {
  return `schema ${JSON.stringify(schema)} in database ${JSON.stringify(database)}`;
}
