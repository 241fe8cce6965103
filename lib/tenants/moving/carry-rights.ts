import type pg from 'pg';
import { reasonOf } from '../../errors/index.js';
import { isAway } from '../../store/postgres/classify-failure.js';
import { readRows } from '../../store/postgres/connections/own-types.js';
import { isRoleOfTenant } from '../admin/role-purpose.js';
import { quoteIdentifier } from '../quote-identifier.js';
import { inMoveTransaction } from './move-transaction.js';
import { MOVER, PUBLIC, readRights, type Grant, type Rights } from './rights.js';
import { giveFence, MAY_BECOME } from './write-fence.js';

/** Maximum number of rights in a message. */
const MAX_LISTED = 5;

/** A schema on both servers, with a connection to each of the mover's role there. */
export interface RightsToCarry {
  readonly source: pg.ClientBase;
  readonly target: pg.ClientBase;
  readonly schema: string;
  /** The tenant's own login. */
  readonly login: string | undefined;
}

/** Thrown to end a trial, which leaves nothing. */
class EndOfTrial extends Error {}

/**
 * The roles that the target's schema needs, and that are missing there, belong to another tenant, or are out of the mover's reach, as
 * sentences.
 */
export async function findMissingRoles(carry: RightsToCarry): Promise<string[]> {
  const { source, target, schema, login } = carry;
  const rights = await readRights(source, schema, login);
  const unfit = await unfitRoles(target, rights, login);
  return unfit.length > 0 ? unfit : rolesOutOfReach(target, rights);
}

/**
 * What else prevents the target from having the owners and rights of the source, as sentences. It gives them in a transaction that
 * is rolled back: while the rows are copied, only the mover can use them.
 *
 * @param server - the name of the target
 */
export async function tryRights(carry: RightsToCarry, server: string): Promise<string[]> {
  const { source, target, schema, login } = carry;
  const rights = await readRights(source, schema, login);
  try {
    await inMoveTransaction(target, undefined, async () => {
      await give(carry, rights);
      throw new EndOfTrial();
    });
    return [];
  } catch (error) {
    if (error instanceof EndOfTrial) return [];
    if (isAway(error)) throw error;
    return [
      `The rights of the schema could not be given on server ${JSON.stringify(server)}: ${reasonOf(error)}.`,
    ];
  }
}

/**
 * Gives the target's schema the owners and rights of the source, as they are now. The roles must be there.
 *
 * @throws Error if the target has other rights then
 */
export async function carryRights(carry: RightsToCarry, moveId: string): Promise<void> {
  const { source, target, schema, login } = carry;
  const rights = await readRights(source, schema, login);
  const [problem] = await unfitRoles(target, rights, login);
  // Granted or made since the look before the copy.
  if (problem !== undefined) throw new Error(problem.replace(/\.$/, ''));
  await inMoveTransaction(target, moveId, () => give(carry, rights));
}

async function give({ target, schema, login }: RightsToCarry, rights: Rights): Promise<void> {
  const mover = await currentUser(target);
  const atFirst = await readRights(target, schema, login);
  const owned = new Map(atFirst.owners.map(({ object, owner }) => [object, owner]));
  const owners = rights.owners.filter(
    ({ object, owner }) => owned.has(object) && owned.get(object) !== owner,
  );
  await run(
    target,
    owners.map(({ object, owner }) => `ALTER ${object} OWNER TO ${named(owner, mover)}`),
  );
  await giveFence(target, schema);
  const found = owners.length === 0 ? atFirst : await readRights(target, schema, login);
  await run(target, statements(rights, found, schema, mover));
  // A GRANT without the right to grant is only a warning.
  const left = statements(rights, await readRights(target, schema, login), schema, mover);
  if (left.length > 0) {
    throw new Error(
      `these statements had no effect: ${left.slice(0, MAX_LISTED).join('; ')}` +
        (left.length > MAX_LISTED ? ` and ${left.length - MAX_LISTED} more` : ''),
    );
  }
}

async function run(client: pg.ClientBase, texts: readonly string[]): Promise<void> {
  if (texts.length > 0) await client.query(texts.join('; '));
}

async function currentUser(client: pg.ClientBase): Promise<string> {
  const [row] = await readRows<{ name: string }>(client, 'SELECT current_user::text AS name');
  return row?.name ?? '';
}

/** The statements that give one server the rights of another one. */
function statements(wanted: Rights, found: Rights, schema: string, mover: string): string[] {
  const known = new Set(wanted.grants.map(({ privilege }) => privilege));
  const here = new Map(wanted.grants.map((grant) => [keyOf(grant), grant]));
  const there = new Map(found.grants.map((grant) => [keyOf(grant), grant]));
  const isThere = (grant: Grant): boolean => {
    const same = there.get(keyOf(grant));
    return same !== undefined && (same.isGrantable || !grant.isGrantable);
  };
  const texts = wanted.grants
    .filter((grant) => !isThere(grant))
    .map((grant) => {
      const option = grant.isGrantable ? ' WITH GRANT OPTION' : '';
      return `${before(grant, schema, mover)}GRANT ${on(grant)} TO ${named(grant.grantee, mover)}${option}`;
    });
  for (const grant of found.grants) {
    const same = here.get(keyOf(grant));
    if (same !== undefined && (same.isGrantable || !grant.isGrantable)) continue;
    // A newer server has rights that the old one does not know.
    if (found.version > wanted.version && !known.has(grant.privilege)) continue;
    const option = same === undefined ? '' : 'GRANT OPTION FOR ';
    texts.push(
      `${before(grant, schema, mover)}REVOKE ${option}${on(grant)} FROM ${named(grant.grantee, mover)}`,
    );
  }
  return texts;
}

function keyOf({ creator, inSchema, object, column, grantee, privilege }: Grant): string {
  return JSON.stringify([creator, inSchema, object, column, grantee, privilege]);
}

function before({ creator, inSchema }: Grant, schema: string, mover: string): string {
  if (creator === null) return '';
  const where = inSchema ? ` IN SCHEMA ${quoteIdentifier(schema)}` : '';
  return `ALTER DEFAULT PRIVILEGES FOR ROLE ${named(creator, mover)}${where} `;
}

function on({ privilege, column, object }: Grant): string {
  return `${privilege}${column === null ? '' : ` (${column})`} ON ${object}`;
}

function named(role: string, mover: string): string {
  if (role === PUBLIC) return 'PUBLIC';
  return quoteIdentifier(role === MOVER ? mover : role);
}

/** What a role is needed for, by its name. */
function uses({ owners, grants }: Rights): Map<string, string[]> {
  const found = new Map<string, string[]>();
  const add = (role: string, what: string): void => {
    if (role === MOVER || role === PUBLIC) return;
    found.set(role, [...(found.get(role) ?? []), what]);
  };
  for (const { object, owner } of owners) add(owner, `it owns ${inWords(object)}`);
  for (const { creator, object, grantee, privilege } of grants) {
    if (creator !== null) add(creator, `its new ${object.toLowerCase()} have rights of others`);
    const what = creator === null ? inWords(object) : `new ${object.toLowerCase()}`;
    add(grantee, `it has ${privilege} on ${what}`);
  }
  return found;
}

function inWords(object: string): string {
  const space = object.indexOf(' ');
  return `the ${object.slice(0, space).toLowerCase()}${object.slice(space)}`;
}

/**
 * The roles that the target does not have, or has for another tenant, as sentences. The same name need not be the same role: two
 * tenants on two servers may have logins of one name.
 */
async function unfitRoles(
  target: pg.ClientBase,
  rights: Rights,
  login: string | undefined,
): Promise<string[]> {
  const used = uses(rights);
  const rows = await readRows<{ role: string; isMissing: boolean }>(
    target,
    `SELECT role, r.oid IS NULL AS "isMissing"
       FROM unnest($1::text[]) role LEFT JOIN pg_catalog.pg_roles r ON r.rolname = role
      WHERE r.oid IS NULL OR role IS DISTINCT FROM $2::text AND ${isRoleOfTenant('r.oid')}
      ORDER BY role`,
    [[...used.keys()], login ?? null],
  );
  return rows.map(({ role, isMissing }) => {
    const [first = '', ...others] = used.get(role) ?? [];
    const need = `${first}${others.length === 0 ? '' : `, and ${others.length} more`}`;
    const name = quoteIdentifier(role);
    return isMissing
      ? `The new server has no role ${name}, which the schema needs: ${need}. ` +
          `Create the role there: CREATE ROLE ${name}. Or take its rights and objects away on the old server.`
      : `On the new server, the role ${name} is that of another tenant, and would get the rights that it has here: ${need}. ` +
          'Take its rights and objects away on the old server.';
  });
}

/** The roles to which the mover can't give objects, as sentences. */
async function rolesOutOfReach(target: pg.ClientBase, rights: Rights): Promise<string[]> {
  const owners = rights.owners.map(({ object, owner }) => ({ role: owner, what: inWords(object) }));
  const creators = rights.grants.flatMap(({ creator, object }) =>
    creator === null
      ? []
      : [{ role: creator, what: `the rights on its new ${object.toLowerCase()}` }],
  );
  const needed = new Map(
    [...owners, ...creators]
      .filter(({ role }) => role !== MOVER)
      .map(({ role, what }) => [role, what]),
  );
  const rows = await readRows<{ role: string; mover: string }>(
    target,
    `SELECT role, current_user::text AS mover FROM unnest($1::text[]) role
      WHERE NOT (pg_has_role(current_user, role::name, 'USAGE')
                 AND pg_has_role(current_user, role::name, ${MAY_BECOME}))
      ORDER BY role`,
    [[...needed.keys()]],
  );
  return rows.map(
    ({ role, mover }) =>
      `On the new server, the role ${quoteIdentifier(mover)} can't give ${needed.get(role) ?? ''} to ${quoteIdentifier(role)}. ` +
      `Run there, until the move is made: GRANT ${quoteIdentifier(role)} TO ${quoteIdentifier(mover)}. Or change the owner on the old server.`,
  );
}
