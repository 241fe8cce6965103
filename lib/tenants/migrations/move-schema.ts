import type pg from 'pg';
import { CLOACINA_MIGRATIONS_TABLE } from '../../store/postgres/migrations/index.js';
import { MigrationError, NotAllowedError, PermissionError } from '../../errors/index.js';
import { explainFailure, type FailedStep } from './migration-failure.js';
import { readHistories } from './migration-history.js';
import { createSchema, type MigrationRun } from './migration-run.js';
import { assertNotAhead } from './migration-set.js';
import { inMigrationTransaction } from './migration-transaction.js';
import {
  findCollisions,
  findLeaseHolder,
  findObjects,
  lockTables,
  type MovableObject,
  moveObjects,
} from './move-statements.js';

/**
 * Moves all that the library has in one schema to another one, in one transaction: a process that dies at any point
 * leaves it all on one side.
 *
 * Both schemas' locks are held, so that no process migrates either of them, and then the tables' own. What was
 * writing to them commits before, and goes along; what comes after finds no table and stores nothing, so no start is
 * taken for stored that isn't.
 *
 * @throws NotAllowedError when a process holds a lease there, when there is nothing to move, or no room for it
 */
export async function moveSchema(run: MigrationRun, target: string): Promise<void> {
  const began = performance.now();
  try {
    await inMigrationTransaction({ ...run, alsoLocked: target }, async (_manager, client) => {
      const objects = await checkMove(client, run.schema, target);
      // Asked before the locks too: a refused call should hold up no other session.
      await refuseLeases(client, run.schema, target, objects);
      await client.query(lockTables(run.schema, objects));
      await refuseLeases(client, run.schema, target, objects);
      if (!(await schemaExists(client, target))) await createSchema(client, target);
      await client.query(moveObjects(run.schema, target, objects));
      await assertMoved(client, run.schema, target, objects);
    });
  } catch (error) {
    throw await explainMove(error, { ...run, began }, target);
  }
}

/** The right that is missing may be missing in either place. */
async function explainMove(error: unknown, step: FailedStep, target: string): Promise<Error> {
  const there = await explainFailure(error, { ...step, schema: target });
  return there instanceof PermissionError ? there : explainFailure(error, step);
}

async function checkMove(
  client: pg.ClientBase,
  schema: string,
  target: string,
): Promise<readonly MovableObject[]> {
  const tables = [CLOACINA_MIGRATIONS_TABLE];
  const [history] = await readHistories(client, [{ schema, tables }]);
  if (history !== undefined) assertNotAhead(schema, history);
  const objects = await findObjects(client, schema);
  const there = await findObjects(client, target);
  if (!objects.some(({ kind }) => kind === 'TABLE')) {
    throw refusal(
      schema,
      target,
      `schema "${schema}" has none of the library's tables`,
      there.length === 0
        ? 'See that the schema is the right one.'
        : `"${target}" has; if an earlier call has moved them, open the tenant there.`,
    );
  }
  const taken = there.map(({ name }) => name);
  if (taken.length === 0) taken.push(...(await findCollisions(client, schema, target)));
  if (taken.length > 0) {
    throw refusal(
      schema,
      target,
      `schema "${target}" has ${taken.slice(0, 3).join(', ')}${taken.length > 3 ? ' and more' : ''} already`,
      'Move it to a schema of its own.',
    );
  }
  return objects;
}

/** Who holds claims has a lease. One that is over holds nothing up: recovery goes on with its claims in the new place. */
async function refuseLeases(
  client: pg.ClientBase,
  schema: string,
  target: string,
  objects: readonly MovableObject[],
): Promise<void> {
  if (!objects.some(({ name }) => name === 'cloacina_runner_lease')) return;
  const holder = await findLeaseHolder(client, schema);
  if (holder === undefined) return;
  throw refusal(
    schema,
    target,
    `process ${holder.name} holds claims there`,
    'Stop it. If it was killed, have its work recovered, or try again when its lease is over, in ' +
      `${Math.ceil(holder.expiresInMs / 1000)} s.`,
  );
}

async function schemaExists(client: pg.ClientBase, schema: string): Promise<boolean> {
  const { rowCount } = await client.query(
    'SELECT FROM pg_catalog.pg_namespace WHERE nspname = $1',
    [schema],
  );
  return rowCount === 1;
}

/** Looked at, not believed, before the commit. */
async function assertMoved(
  client: pg.ClientBase,
  schema: string,
  target: string,
  objects: readonly MovableObject[],
): Promise<void> {
  const left = await findObjects(client, schema);
  const moved = await findObjects(client, target);
  if (left.length === 0 && moved.length === objects.length) return;
  const missing = left.map(({ name }) => name).join(', ');
  throw new MigrationError({
    schema,
    advice: `Not everything could be moved to "${target}"; left were: ${missing}. Nothing has been changed.`,
  });
}

function refusal(schema: string, target: string, why: string, instead: string): NotAllowedError {
  return new NotAllowedError(`Moving schema "${schema}" to "${target}"`, why, instead);
}
