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
 * Moves the library's objects of one schema to another, in one transaction. If the process dies at any point, all of them
 * are in the same schema.
 *
 * It holds the locks of both schemas, so that no process migrates either of them, and then locks the tables. Transactions
 * that were writing to the tables commit first, and their rows move too. Later ones find no table and store nothing, so
 * no start is reported as stored that isn't.
 *
 * @throws NotAllowedError if a process has a lease there, if there is nothing to move, or if the target is not free
 */
export async function moveSchema(run: MigrationRun, target: string): Promise<void> {
  const began = performance.now();
  try {
    await inMigrationTransaction({ ...run, alsoLocked: target }, async (_manager, client) => {
      const objects = await checkMove(client, run.schema, target);
      // Checked before the locks too, so that a rejected call does not block other sessions.
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

/** The login may lack a right in either schema, so both are checked. */
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
        ? 'Check the name of the schema.'
        : `"${target}" does; if an earlier call moved them, open the tenant there.`,
    );
  }
  const taken = there.map(({ name }) => name);
  if (taken.length === 0) taken.push(...(await findCollisions(client, schema, target)));
  if (taken.length > 0) {
    throw refusal(
      schema,
      target,
      `schema "${target}" already has ${taken.slice(0, 3).join(', ')}${taken.length > 3 ? ' and more' : ''}`,
      'Move the tables to an unused schema.',
    );
  }
  return objects;
}

/**
 * Rejects the move if a process has an unexpired lease, because it may have claims. Expired leases do not prevent the move:
 * recovery continues with their claims in the new schema.
 */
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
    `process ${holder.name} has a lease there`,
    'Stop that process. If it was killed, recover its tasks, or try again when its lease has expired, in ' +
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

/** Verifies before the commit that all objects have moved. */
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
    advice: `These objects could not be moved to "${target}": ${missing}. Nothing has been changed.`,
  });
}

function refusal(schema: string, target: string, why: string, instead: string): NotAllowedError {
  return new NotAllowedError(`Moving schema "${schema}" to "${target}"`, why, instead);
}
