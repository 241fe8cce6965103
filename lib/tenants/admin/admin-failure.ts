import {
  CloacinaError,
  DatabaseUnavailableError,
  MigrationError,
  PermissionError,
  TenantIncompleteError,
  type DatabasePlace,
} from '../../errors/index.js';
import { asConnectionError } from '../../store/postgres/connections/connection-obstacle.js';
import { isAway } from '../../store/postgres/classify-failure.js';
import { sqlState, SqlState } from '../../store/postgres/sql-state.js';
import { quoteIdentifier } from '../quote-identifier.js';
import type { AdminSession } from './admin-session.js';
import { describeState, readTenantState, type TenantState } from './tenant-state.js';

export type AdminOperation =
  'createTenant' | 'rotatePassword' | 'removeTenant' | 'listTenants' | 'moveTenant';

export interface FailedCall {
  readonly operation: AdminOperation;
  readonly schema: string | undefined;
  /** The admin's database. */
  readonly place: DatabasePlace;
  /** Absent if the connection failed. */
  readonly session?: AdminSession;
  /** Start of the call, by performance.now(). */
  readonly began: number;
}

/** Turns the failure into one of the library's errors, which lists what exists of the tenant now. */
export async function explainAdminFailure(
  failure: unknown,
  { operation, schema, place, session, began }: FailedCall,
): Promise<Error> {
  if (failure instanceof CloacinaError && !(failure instanceof MigrationError)) return failure;
  const refused = asConnectionError(failure, place);
  if (refused !== undefined) return refused;
  if (operation === 'moveTenant' && sqlState(failure) === SqlState.insufficientPrivilege) {
    const action = `read the tenants of server ${JSON.stringify(place.server)}`;
    return new PermissionError({ action }, { cause: failure });
  }
  if (isAway(failure) || session === undefined) {
    const waitedMs = Math.round(performance.now() - began);
    return new DatabaseUnavailableError(
      { waitedMs, place, isOneAttempt: true },
      { cause: failure },
    );
  }
  // If this read fails too, the error below still reports the first failure.
  const state =
    schema === undefined
      ? undefined
      : await readTenantState(session, { schema }).catch(() => undefined);
  if (sqlState(failure) === SqlState.insufficientPrivilege) {
    const grant = missingGrant(session, state);
    const action = schema === undefined ? 'read the catalogs' : ACTIONS[operation] + schema;
    return new PermissionError(
      {
        action,
        ...(grant === undefined ? {} : { grant }),
        ...(schema === undefined ? {} : { schema }),
      },
      { cause: failure },
    );
  }
  if (operation === 'listTenants' || operation === 'moveTenant' || schema === undefined) {
    return new DatabaseUnavailableError(
      { waitedMs: Math.round(performance.now() - began), place, isOneAttempt: true },
      { cause: failure },
    );
  }
  const remaining =
    state === undefined
      ? ['an unknown part, because the catalogs could not be read']
      : describeState(schema, state);
  return new TenantIncompleteError({ operation, schema, remaining }, { cause: failure });
}

const ACTIONS: Readonly<Record<AdminOperation, string>> = {
  createTenant: 'create the tenant of schema ',
  rotatePassword: 'change the password of the role of schema ',
  removeTenant: 'remove the tenant of schema ',
  listTenants: 'read the catalogs of schema ',
  moveTenant: 'move the tenant of schema ',
};

/** The statement that grants the missing right: to create roles at all, or to administer the tenant's role. */
function missingGrant(session: AdminSession, state: TenantState | undefined): string | undefined {
  const login = quoteIdentifier(session.login);
  if (!session.mayCreateRoles) return `ALTER ROLE ${login} CREATEROLE`;
  const own = state?.login?.name ?? state?.isolationRole;
  if (own !== undefined && own === (state?.schema?.owner ?? own)) {
    const admin = session.serverVersion >= 160_000 ? ' WITH ADMIN OPTION' : '';
    return `GRANT ${quoteIdentifier(own)} TO ${login}${admin}`;
  }
  const owner = state?.schema?.owner;
  return owner === undefined ? undefined : `GRANT ${quoteIdentifier(owner)} TO ${login}`;
}
