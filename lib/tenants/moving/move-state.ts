import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { ANSWER_TIMEOUT_MS } from '../../store/postgres/connections/destroy-socket.js';
import { readRows } from '../../store/postgres/connections/own-types.js';
import { sendInHalves } from '../../runtime/in-halves.js';
import { failureKind } from '../../store/postgres/classify-failure.js';
import { SERVER_CLOCK } from '../../store/postgres/statements/sql-clock.js';
import { CHANNEL } from '../../store/postgres/statements/wake-ups.js';
import { encodeNotification } from '../../engine/process/notification.js';
import { addressOf } from '../tenant-address.js';
import { inMoveTransaction, type Move } from './move-transaction.js';
import { openFence, raiseFence, removeFence, renameFence, unfencedTables } from './write-fence.js';

/** See the comments of the table `cloacina_tenant`. */
export type TenantState = 'live' | 'copying' | 'stopping' | 'moved' | 'arriving';

/** The row of `cloacina_tenant`. */
export interface TenantRow {
  readonly state: TenantState;
  /** Null without a move. */
  readonly moveId: string | null;
  /** The name of the other server. Null without a move. */
  readonly peer: string | null;
  /** How long until the stop is undone, in milliseconds; not positive if that time has passed. Null without a stop. */
  readonly deadlineInMs: number | null;
}

/** Maximum number of tenants whose states one statement reads. */
const SCHEMAS_PER_STATEMENT = 50;
/** On a network that drops packets, the pass of the sweep, and with it the whole sweep, would wait for hours. */
const ANSWERED_SOON = { query_timeout: ANSWER_TIMEOUT_MS };
/** How often to try for the mover's lock, which a process may hold for one look, and the pause between, in milliseconds. */
const LOCK_TRIES = 20;
const LOCK_PAUSE_MS = 50;

/** The state of a tenant. Undefined if the schema has no such row: it is dropped, or of another release. */
export async function readTenantRow(
  client: pg.ClientBase | pg.Pool,
  schema: string,
): Promise<TenantRow | undefined> {
  const rows = await readRows<{ name: string | null }>(
    client,
    'SELECT pg_catalog.to_regclass($1)::text AS name',
    [tableOf(schema)],
  );
  if ((rows[0]?.name ?? null) === null) return undefined;
  const [row] = await readRows<TenantRow>(client, selectRow(schema));
  return row;
}

/** The states of many tenants by index, in few statements. Undefined for a schema that can't be read. */
export async function readTenantStates(
  client: pg.ClientBase | pg.Pool,
  schemas: readonly string[],
): Promise<(TenantRow | undefined)[]> {
  const states: (TenantRow | undefined)[] = [];
  const read = async (part: readonly string[]): Promise<(TenantRow | undefined)[]> => {
    const each = part.map((schema, i) => `SELECT ${i} AS i, t.* FROM (${selectRow(schema)}) t`);
    const text = each.join(' UNION ALL ');
    const rows = await readRows<TenantRow & { i: number }>(client, text, [], ANSWERED_SOON);
    const found = new Map(rows.map(({ i, ...row }) => [i, row]));
    return part.map((_, i) => found.get(i));
  };
  for (let i = 0; i < schemas.length; i += SCHEMAS_PER_STATEMENT) {
    const part = schemas.slice(i, i + SCHEMAS_PER_STATEMENT);
    states.push(
      ...(await sendInHalves(part, read, (error) => failureKind(error) === 'connection')),
    );
  }
  return states;
}

/** Begins a move on the source, which goes on as usual: live → copying. False if the tenant is not live. */
export function beginCopying(client: pg.ClientBase, move: Move): Promise<boolean> {
  return change(client, move, { from: ['live'], to: 'copying' });
}

/**
 * Makes processes stop claiming, and starts wait: copying → stopping. False if the move was undone.
 *
 * @param deadlineMs - time from now after which any process undoes the stop, if the mover is gone
 */
export function beginStopping(
  client: pg.ClientBase,
  move: Move,
  deadlineMs: number,
): Promise<boolean> {
  return change(client, move, { from: ['copying'], to: 'stopping', deadlineMs });
}

/**
 * Makes the stopping source refuse writes. From its commit on, the source does not change. False if the move was undone.
 *
 * @param timeoutMs - how long to wait for transactions that have written
 * @throws the server's error with SQLSTATE 57014 or 55P03 if a transaction did not end in time
 */
export function fenceSource(
  client: pg.ClientBase,
  move: Move,
  timeoutMs: number,
): Promise<boolean> {
  const enter = (): Promise<boolean> => isIn(client, move, 'stopping');
  return raiseFence(client, move, { state: 'stopping', timeoutMs, enter });
}

/**
 * The switch: stopping → moved. From its commit on, the tenant lives on the target, and the move can't be undone. False if it
 * was undone before.
 *
 * @throws Error if a table of the schema does not refuse writes
 */
export function markMoved(client: pg.ClientBase, move: Move): Promise<boolean> {
  return change(client, move, { from: ['stopping'], to: 'moved' }, async () => {
    const unfenced = await unfencedTables(client, move.schema);
    if (unfenced.length > 0) {
      throw new Error(
        `Schema "${move.schema}" is not moved: ${unfenced.join(', ')} would accept writes.`,
      );
    }
    await renameFence(client, move, 'moved');
  });
}

/** Undoes a move on the source: copying or stopping → live. False if the source has moved, or has no such move. */
export async function undoMove(client: pg.ClientBase, move: Move): Promise<boolean> {
  const isUndone = await change(client, move, { from: ['copying', 'stopping'], to: 'live' }, () =>
    openFence(client, move.schema),
  );
  if (isUndone) await removeOpenFence(client, move.schema);
  return isUndone;
}

/**
 * Undoes a stop whose mover is gone and whose deadline has passed. Any process may call it.
 *
 * @returns whether the tenant is live again because of this call
 */
export async function undoAbandonedStop(client: pg.ClientBase, move: Move): Promise<boolean> {
  const isUndone = await inMoveTransaction(client, move.moveId, async () => {
    if (!(await holdsMoveLockUntilCommit(client, move.schema))) return false;
    const row = await lockRow(client, move.schema);
    if (row?.state !== 'stopping' || row.moveId !== move.moveId) return false;
    if (row.deadlineInMs === null || row.deadlineInMs > 0) return false;
    await write(client, move, { to: 'live' });
    await openFence(client, move.schema);
    await tell(client, move.schema);
    return true;
  });
  if (isUndone) await removeOpenFence(client, move.schema);
  return isUndone;
}

/**
 * Makes the copy on the target refuse writes. The migrations of this move have made its row `arriving`. False for any other row: a
 * live one is a tenant's. `peer` is the source.
 */
export function beginArriving(
  client: pg.ClientBase,
  move: Move,
  timeoutMs = 10_000,
): Promise<boolean> {
  return raiseFence(client, move, {
    state: 'arriving',
    timeoutMs,
    enter: () => isIn(client, move, 'arriving'),
  });
}

/**
 * Makes the copy on the target live: arriving → live. Call it only when the source of the same move is `moved`. Any process may
 * call it. True if the tenant is live there, also if another call made it.
 */
export async function makeLive(client: pg.ClientBase, move: Move): Promise<boolean> {
  const isDone = await change(client, move, { from: ['arriving'], to: 'live' }, () =>
    openFence(client, move.schema),
  );
  if (isDone) await removeOpenFence(client, move.schema);
  return isDone || (await readTenantRow(client, move.schema))?.state === 'live';
}

/** Drops what a fence has left in a live schema. What can't be dropped now costs each statement a call, and harms nothing. */
async function removeOpenFence(client: pg.ClientBase, schema: string): Promise<void> {
  await removeFence(client, schema, async () => {
    const row = await lockRow(client, schema);
    return row?.state === 'live' || row?.state === 'copying';
  }).catch(() => false);
}

/** Holds the mover's lock until the session ends. False if another mover holds it. */
export async function holdMoveLock(client: pg.ClientBase, schema: string): Promise<boolean> {
  for (let attempt = 0; attempt < LOCK_TRIES; attempt++) {
    if (await tryLock(client, 'pg_try_advisory_lock', schema)) return true;
    await delay(LOCK_PAUSE_MS);
  }
  return false;
}

/** The 64-bit key of the mover's advisory lock. */
export function moveLockKey(schema: string): string {
  const hash = createHash('sha256').update(`nestjs-cloacina/move/${schema}`).digest();
  return hash.readBigInt64BE().toString();
}

function holdsMoveLockUntilCommit(client: pg.ClientBase, schema: string): Promise<boolean> {
  return tryLock(client, 'pg_try_advisory_xact_lock', schema);
}

async function tryLock(client: pg.ClientBase, how: string, schema: string): Promise<boolean> {
  const [row] = await readRows<{ locked: boolean }>(
    client,
    `SELECT pg_catalog.${how}($1::bigint) AS locked`,
    [moveLockKey(schema)],
  );
  return row?.locked === true;
}

/** A change of the state. */
interface Change {
  readonly from: readonly TenantState[];
  readonly to: TenantState;
  readonly deadlineMs?: number;
}

/** Compares the state and the move, and changes the state in a transaction with `work`. */
function change(
  client: pg.ClientBase,
  move: Move,
  { from, to, deadlineMs }: Change,
  work?: () => Promise<void>,
): Promise<boolean> {
  return inMoveTransaction(client, move.moveId, async () => {
    const row = await lockRow(client, move.schema);
    if (row === undefined || !from.includes(row.state)) return false;
    if (row.state !== 'live' && row.moveId !== move.moveId) return false;
    await write(client, move, { to, ...(deadlineMs === undefined ? {} : { deadlineMs }) });
    await work?.();
    await tell(client, move.schema);
    return true;
  });
}

async function isIn(client: pg.ClientBase, move: Move, state: TenantState): Promise<boolean> {
  const row = await lockRow(client, move.schema);
  return row?.state === state && row.moveId === move.moveId;
}

async function lockRow(client: pg.ClientBase, schema: string): Promise<TenantRow | undefined> {
  const [row] = await readRows<TenantRow>(client, `${selectRow(schema)} FOR UPDATE`);
  return row;
}

async function write(
  client: pg.ClientBase,
  { schema, moveId, peer }: Move,
  { to, deadlineMs }: Omit<Change, 'from'>,
): Promise<void> {
  const isLive = to === 'live';
  await client.query(
    `UPDATE ${tableOf(schema)}
        SET state = $1::text, move_id = $2::uuid, peer = $3::text, changed_at = ${SERVER_CLOCK.now},
            deadline = ${SERVER_CLOCK.now} + $4::float8 * interval '1 ms'`,
    [to, isLive ? null : moveId, isLive ? null : peer, deadlineMs ?? null],
  );
}

/** Tells the processes of the tenant, with the commit. */
async function tell(client: pg.ClientBase, schema: string): Promise<void> {
  const payload = encodeNotification({ kind: 'moves', tenant: addressOf(schema) });
  await client.query('SELECT pg_catalog.pg_notify($1, $2)', [CHANNEL, payload]);
}

function selectRow(schema: string): string {
  return `SELECT state, move_id::text AS "moveId", peer,
                 (extract(epoch FROM deadline - ${SERVER_CLOCK.now}) * 1000)::float8 AS "deadlineInMs"
            FROM ${tableOf(schema)}`;
}

/** The table with the state of a tenant. */
export function tableOf(schema: string): string {
  return `${pg.escapeIdentifier(schema)}.cloacina_tenant`;
}
