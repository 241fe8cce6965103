import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import type { MoveRefusal } from '../../errors/index.js';
import { readRows } from '../../store/postgres/connections/own-types.js';
import { sqlState, SqlState } from '../../store/postgres/sql-state.js';
import { inMoveTransaction, MOVE_SETTING, type Move } from './move-transaction.js';

/** Names of the fence's objects. They are not in the migrations: a comparison of schemas leaves them out. */
export const FENCE_FUNCTION = 'cloacina_refuse_write';
export const FENCE_TRIGGER = 'cloacina_move_fence';

/** The states in which a schema refuses writes. `stopping` does so in its last phase only. */
export type FencedState = MoveRefusal['state'];

/**
 * How long the attempts to lock all tables may take in turn, in milliseconds. The short ones end before the server looks for
 * deadlocks, so no writer of the application becomes the victim of one. The long one is for autovacuum, which the server
 * cancels only when it looks for deadlocks, after a second.
 */
const LOCK_TRIES_MS = [700, 700, 2_500];
const PAUSE_MS = 50;
/** How long the drop of a trigger may wait for the table, in milliseconds. Later statements queue behind the wait. */
const DROP_WAIT_MS = 200;

/**
 * Makes every table of the schema refuse writes from its commit on, in all transactions, also in those that began before. It
 * waits until no transaction has written and not ended: a trigger can't be created before.
 *
 * @param enter - runs first in the transaction, and locks the tenant's row. False ends the attempt without a fence
 * @param timeoutMs - how long to wait in total for the writers. The last attempt may end later
 * @returns what `enter` returned
 * @throws the server's error with SQLSTATE 57014 or 55P03 if a transaction of the schema did not end in time
 */
export async function raiseFence(
  client: pg.ClientBase,
  move: Move,
  {
    state,
    timeoutMs,
    enter,
  }: {
    readonly state: FencedState;
    readonly timeoutMs: number;
    readonly enter: () => Promise<boolean>;
  },
): Promise<boolean> {
  const end = performance.now() + timeoutMs;
  for (let attempt = 0; ; attempt++) {
    try {
      return await inMoveTransaction(client, move.moveId, async () => {
        if (!(await enter())) return false;
        await lockTables(client, move.schema, LOCK_TRIES_MS[attempt % LOCK_TRIES_MS.length] ?? 0);
        await client.query(fenceFunction(move, state));
        await client.query(createTriggers(move.schema));
        await giveFence(client, move.schema);
        return true;
      });
    } catch (error) {
      if (!isLockFailure(error) || performance.now() >= end) throw error;
      await delay(PAUSE_MS);
    }
  }
}

/**
 * Gives the fence to the owner of the tables, if the client's role may: processes of the tenant, whose login that is, may have to open
 * it when the mover has died.
 */
export async function giveFence(client: pg.ClientBase, schema: string): Promise<void> {
  const [fence] = await readRows<{ owner: string }>(
    client,
    `SELECT quote_ident(pg_get_userbyid(c.relowner)) AS owner
       FROM pg_catalog.pg_namespace n
       JOIN pg_catalog.pg_proc p ON p.pronamespace = n.oid AND p.proname = '${FENCE_FUNCTION}' AND p.pronargs = 0
       JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = 'cloacina_tenant'
      WHERE n.nspname = $1 AND p.proowner <> c.relowner AND has_schema_privilege(c.relowner, n.oid, 'CREATE')
        AND pg_has_role(p.proowner, 'USAGE') AND pg_has_role(current_user, c.relowner, ${MAY_BECOME})`,
    [schema],
  );
  if (fence === undefined) return;
  await client.query(`ALTER FUNCTION ${functionPath(schema)}() OWNER TO ${fence.owner}`);
}

/** Since PostgreSQL 16, a member of a role needs another right to become it. */
export const MAY_BECOME = `CASE WHEN current_setting('server_version_num')::integer >= 160000 THEN 'SET' ELSE 'MEMBER' END`;

/** Changes what the fence says, in the client's transaction. It takes no lock on a table. */
export async function renameFence(
  client: pg.ClientBase,
  move: Move,
  state: FencedState,
): Promise<void> {
  await client.query(fenceFunction(move, state));
}

/**
 * Lets all writes pass from the commit of the client's transaction on. It takes no lock on a table, so neither a writer nor a
 * long read delays it. The triggers stay until {@link removeFence}.
 */
export async function openFence(client: pg.ClientBase, schema: string): Promise<void> {
  const rows = await readRows(
    client,
    `SELECT FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
      WHERE n.nspname = $1 AND p.proname = '${FENCE_FUNCTION}'`,
    [schema],
  );
  if (rows.length > 0) await client.query(functionOf(schema, 'BEGIN RETURN NULL; END', null));
}

/**
 * Drops an open fence, table by table, as far as no reader is in the way. What is left passes all writes, and a later move uses
 * it again.
 *
 * @param mayDrop - runs first in each transaction, and locks the tenant's row. False ends the removal
 * @returns whether nothing is left
 */
export async function removeFence(
  client: pg.ClientBase,
  schema: string,
  mayDrop: () => Promise<boolean>,
): Promise<boolean> {
  const fenced = (await tablesOfSchema(client, schema)).filter(({ hasFence }) => hasFence);
  let left = false;
  const drop = async (statement: string): Promise<void> => {
    try {
      await inMoveTransaction(client, undefined, async () => {
        await client.query(`SET LOCAL lock_timeout TO ${DROP_WAIT_MS}`);
        if (await mayDrop()) await client.query(statement);
        else left = true;
      });
    } catch (error) {
      if (!isLockFailure(error)) throw error;
      left = true;
    }
  };
  for (const { path } of fenced) await drop(`DROP TRIGGER IF EXISTS ${FENCE_TRIGGER} ON ${path}`);
  if (!left) await drop(`DROP FUNCTION IF EXISTS ${functionPath(schema)}()`);
  return !left;
}

/** The tables of the schema that don't refuse writes: a trigger that is disabled, or not for replicas, refuses none or few. */
export async function unfencedTables(client: pg.ClientBase, schema: string): Promise<string[]> {
  const tables = await tablesOfSchema(client, schema);
  return tables.filter(({ isFenced }) => !isFenced).map(({ name }) => name);
}

interface FencedTable {
  readonly name: string;
  /** The qualified and quoted name. */
  readonly path: string;
  readonly hasFence: boolean;
  /** Whether its trigger fires in every session. */
  readonly isFenced: boolean;
}

/** Sorted by name: two sessions that lock them can't deadlock. */
function tablesOfSchema(client: pg.ClientBase, schema: string): Promise<FencedTable[]> {
  return readRows<FencedTable>(
    client,
    `SELECT c.relname AS name, format('%I.%I', n.nspname, c.relname) AS path,
            t.oid IS NOT NULL AS "hasFence", coalesce(t.tgenabled = 'A', false) AS "isFenced"
       FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
       LEFT JOIN pg_catalog.pg_trigger t ON t.tgrelid = c.oid AND t.tgname = '${FENCE_TRIGGER}'
      WHERE n.nspname = $1 AND c.relkind IN ('r', 'p') ORDER BY c.relname`,
    [schema],
  );
}

/** One statement, so that its timeout is that of all locks: a writer that has one table may wait for another one. */
async function lockTables(client: pg.ClientBase, schema: string, ms: number): Promise<void> {
  const paths = (await tablesOfSchema(client, schema)).map(({ path }) => `ONLY ${path}`);
  await client.query(`SET LOCAL lock_timeout TO 0; SET LOCAL statement_timeout TO ${ms}`);
  await client.query(`LOCK TABLE ${paths.join(', ')} IN SHARE ROW EXCLUSIVE MODE`);
  await client.query('SET LOCAL statement_timeout TO 0');
}

/**
 * The trigger fires in every replication role. It is created on the tables that lack it, and enabled again where it is not:
 * an earlier fence may have left some.
 */
function createTriggers(schema: string): string {
  const name = pg.escapeLiteral(schema);
  return `DO ${pg.escapeLiteral(`DECLARE target text; has_fence boolean; BEGIN
  FOR target, has_fence IN
    SELECT format('%I.%I', n.nspname, c.relname), t.oid IS NOT NULL
      FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
      LEFT JOIN pg_catalog.pg_trigger t ON t.tgrelid = c.oid AND t.tgname = '${FENCE_TRIGGER}'
     WHERE n.nspname = ${name} AND c.relkind IN ('r', 'p') AND t.tgenabled IS DISTINCT FROM 'A'
     ORDER BY c.relname
  LOOP
    IF NOT has_fence THEN
      EXECUTE 'CREATE TRIGGER ${FENCE_TRIGGER} BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON ' || target
           || format(' FOR EACH STATEMENT EXECUTE FUNCTION %I.${FENCE_FUNCTION}()', ${name});
    END IF;
    EXECUTE 'ALTER TABLE ONLY ' || target || ' ENABLE ALWAYS TRIGGER ${FENCE_TRIGGER}';
  END LOOP;
END`)}`;
}

function fenceFunction({ schema, moveId, peer }: Move, state: FencedState): string {
  const detail: MoveRefusal = { schema, state, peer, moveId };
  const text = (value: string): string => pg.escapeLiteral(value);
  return functionOf(
    schema,
    `BEGIN
  IF pg_catalog.current_setting('${MOVE_SETTING}', true) IS NOT DISTINCT FROM ${text(moveId)} THEN RETURN NULL; END IF;
  RAISE EXCEPTION USING ERRCODE = '${SqlState.tenantMoves}', MESSAGE = ${text(messageOf(schema, peer, state))},
    DETAIL = ${text(JSON.stringify(detail))};
END`,
    JSON.stringify(detail),
  );
}

function messageOf(schema: string, peer: string, state: FencedState): string {
  if (state === 'moved') return `Schema "${schema}" has moved to server "${peer}".`;
  if (state === 'stopping') return `Schema "${schema}" moves to server "${peer}".`;
  return `Schema "${schema}" is a copy that is not complete. It arrives from server "${peer}".`;
}

/**
 * The literals of the fence are in its text, so it reads no table: a transaction's old snapshot can't mislead it. The comment
 * says the same to a look through the catalog, which reads no table of the tenants either.
 */
function functionOf(schema: string, body: string, comment: string | null): string {
  const path = functionPath(schema);
  return (
    `CREATE OR REPLACE FUNCTION ${path}() RETURNS trigger LANGUAGE plpgsql AS ${pg.escapeLiteral(body)}; ` +
    `COMMENT ON FUNCTION ${path}() IS ${comment === null ? 'NULL' : pg.escapeLiteral(comment)}`
  );
}

function functionPath(schema: string): string {
  return `${pg.escapeIdentifier(schema)}.${FENCE_FUNCTION}`;
}

function isLockFailure(error: unknown): boolean {
  const code = sqlState(error);
  return (
    code === SqlState.lockNotAvailable ||
    code === SqlState.deadlock ||
    code === SqlState.queryCancelled
  );
}
