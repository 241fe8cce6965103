import type pg from 'pg';
import {
  MigrationError,
  MoveNotPossibleError,
  reasonOf,
  type MovePlaces,
} from '../../errors/index.js';
import { isAway } from '../../store/postgres/classify-failure.js';
import { lockTenant, type AdminSession } from '../admin/admin-session.js';
import { quoteIdentifier } from '../quote-identifier.js';
import { findMissingRoles, tryRights } from './carry-rights.js';
import { dropUnusedSchema } from './drop-copy.js';
import { hasSchema, hasTables } from './tenant-places.js';
import { makeIsolationRole, makeLogin } from './move-roles.js';
import type { MoveReport } from './move-options.js';
import type { MoveSide } from './move-side.js';
import { readTenantRow } from './move-state.js';
import { readMovedTables } from './moved-tables.js';
import {
  compareServers,
  findMissingRight,
  findObstacles,
  readLibraryHistory,
} from './obstacles.js';
import { compareCatalogs, readCatalog, type CatalogObject } from './schema-catalog.js';
import { readRefusal } from './schema-places.js';
import { makeTargetSchema, type ApplicationMigrations } from './target-schema.js';

export interface Preparation extends ApplicationMigrations {
  readonly places: MovePlaces;
  readonly moveId: string;
  readonly from: MoveSide;
  readonly to: MoveSide;
  /** The connection to the source, with the rights of the tenant's role. */
  readonly control: pg.Client;
  /** A session of the admin's login on the target. */
  readonly there: AdminSession;
  /** The tenant's own login, if it has one. */
  readonly login: string | undefined;
  /** Whether user code of the tenant runs under a role of its own. */
  readonly isIsolated: boolean;
}

/** What a move begins with. */
export interface Prepared {
  readonly size: Pick<MoveReport, 'tables' | 'rows' | 'bytes'>;
  /** The objects of the source that the target has too. */
  readonly catalog: readonly CatalogObject[];
}

/**
 * Looks for everything that prevents the move, and makes the schema on the target. Nothing of the tenant changes.
 *
 * @returns the size of what there is to move, and the catalog of the source as it was compared
 * @throws MoveNotPossibleError with all obstacles
 */
export async function prepareTarget(preparation: Preparation): Promise<Prepared> {
  const { places, control, there } = preparation;
  const { schema, from, to } = places;
  await lockTenant(there, { schema });
  const left = await readRefusal(there.client, schema);
  // While the source lives and no other mover has its lock, what is arriving from it can't become live any more.
  const isGivenAway = (await readTenantRow(control, schema))?.state === 'moved';
  if (left?.state === 'arriving' && left.peer === from && !isGivenAway)
    await dropUnusedSchema(there, schema, left.moveId);
  const { problems, sameVersion } = await compareServers(control, there.client);
  problems.push(...(await findObstacles(control, schema)));
  let catalog: readonly CatalogObject[] = [];
  // The login's own schema without tables is what a call that was interrupted has left: it is used.
  if (await isTaken(preparation)) {
    problems.push(`Server ${JSON.stringify(to)} has a schema of that name. Rename or drop it.`);
  } else if (await isMade(preparation, problems)) {
    catalog = await readCatalog(control, schema);
    problems.push(...(await compare(preparation, catalog, sameVersion)));
    problems.push(...(await findMissingRight(there.client, preparation.login)));
    problems.push(...(await findRights(preparation, problems.length === 0)));
  }
  if (problems.length > 0) {
    await dropUnusedSchema(there, schema, preparation.moveId).catch(() => undefined);
    throw new MoveNotPossibleError(places, problems);
  }
  const tables = await readMovedTables(control, schema);
  const size = {
    tables: tables.length,
    rows: tables.reduce((sum, { estimatedRows }) => sum + estimatedRows, 0),
    bytes: tables.reduce((sum, { bytes }) => sum + bytes, 0),
  };
  return { size, catalog };
}

/** Whether the target has a schema of the name that this move may not use. */
function isTaken({ places: { schema }, there, login }: Preparation): Promise<boolean> {
  return login === undefined ? hasSchema(there.client, schema) : hasTables(there.client, schema);
}

/** Makes the schema. What prevents that is a problem, unless a server is away. */
async function isMade(preparation: Preparation, problems: string[]): Promise<boolean> {
  const { places, moveId, to, there, login, isIsolated } = preparation;
  const { schema } = places;
  try {
    if (login !== undefined) await makeLogin(there, { schema, username: login });
    await makeTargetSchema(to, { schema, moveId, peer: places.from }, preparation);
    if (isIsolated) await makeIsolationRole(to.as(undefined), schema);
    return true;
  } catch (error) {
    if (!(error instanceof MigrationError) && isAway(error)) throw error;
    problems.push(
      `The schema could not be made on server ${JSON.stringify(places.to)}: ${reasonOf(error)}.`,
    );
    return false;
  }
}

/** @param isSame - whether the objects are the same: each right is on one of them */
async function findRights(
  { places: { schema, to: server }, control, to, login }: Preparation,
  isSame: boolean,
): Promise<string[]> {
  const carry = { source: control, target: await to.connect(), schema, login };
  const problems = await findMissingRoles(carry);
  return problems.length > 0 || !isSame ? problems : tryRights(carry, server);
}

/** The differences between the schema and what the migrations make. */
async function compare(
  { places: { schema }, control, there: { client } }: Preparation,
  catalog: readonly CatalogObject[],
  sameVersion: boolean,
): Promise<string[]> {
  const quoted = quoteIdentifier(schema);
  const here = await readLibraryHistory(control, quoted);
  const there = new Set(await readLibraryHistory(client, quoted));
  const unknown = here.filter((name) => !there.has(name));
  const pending = [...there].filter((name) => !here.includes(name));
  if (unknown.length > 0 || pending.length > 0) {
    return [
      unknown.length > 0
        ? `The schema has migrations that this release of the library does not know: ${unknown.join(', ')}. Upgrade it here.`
        : `The schema lacks migrations of this release: ${pending.join(', ')}. Migrate it first.`,
    ];
  }
  return compareCatalogs(catalog, await readCatalog(client, schema), sameVersion);
}
