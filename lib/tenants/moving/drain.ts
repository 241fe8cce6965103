import { setTimeout as delay } from 'node:timers/promises';
import type pg from 'pg';
import { readRows } from '../../store/postgres/connections/own-types.js';
import { tenantTables } from '../../store/postgres/statements/statement.js';
import { quoteIdentifier } from '../quote-identifier.js';
import { fenceSource } from './move-state.js';
import { inMoveTransaction, type Move } from './move-transaction.js';
import { openFence } from './write-fence.js';

/** Interval between looks for running tasks, in milliseconds. */
const LOOK_MS = 50;
/** How long transactions that have written may take to end after the last task, at least, in milliseconds. */
const MIN_FENCE_MS = 5_000;
/** Maximum number of tasks in a message. */
const MAX_LISTED = 5;

/** Tasks that did not end in time. */
class StillRunning extends Error {
  constructor(readonly tasks: readonly string[]) {
    super(
      `these tasks did not end in time: ${tasks.slice(0, MAX_LISTED).join(', ')}` +
        (tasks.length > MAX_LISTED ? ' and more' : ''),
    );
  }
}

/**
 * Waits until no living process runs a task of the stopping source, and makes it refuse writes. A process that has not heard
 * of the stop may claim up to that moment; then writes are let through again, and the wait goes on.
 *
 * Tasks of a process whose lease has expired do not count: they are carried over with its lease, and recovered on the target.
 *
 * @throws StillRunning after `drainMs`
 * @throws Error if the move was undone by another process
 */
export async function drainAndFence(
  client: pg.ClientBase,
  move: Move,
  drainMs: number,
): Promise<void> {
  const end = performance.now() + drainMs;
  for (;;) {
    if (!(await hasListedClaims(client, move.schema)) && !(await isRunning(client, move.schema))) {
      const fenceMs = Math.max(MIN_FENCE_MS, end - performance.now());
      if (!(await fenceSource(client, move, fenceMs)))
        throw new Error('another process has undone it');
      if (!(await isRunning(client, move.schema))) return;
      await inMoveTransaction(client, move.moveId, () => openFence(client, move.schema));
    }
    if (performance.now() >= end) throw new StillRunning(await runningTasks(client, move.schema));
    await delay(LOOK_MS);
  }
}

/** Whether a living process runs a task, by the lists of claims. It reads the claimed tasks only, so it can be repeated often. */
async function hasListedClaims(client: pg.ClientBase, schema: string): Promise<boolean> {
  const { task, claimBatch, lease, clock } = tenantTables(quoteIdentifier(schema));
  const rows = await readRows(
    client,
    `SELECT FROM ONLY ${lease} l JOIN ONLY ${claimBatch} b ON b.instance_id = l.instance_id
       CROSS JOIN LATERAL unnest(b.execution_ids, b.task_nos, b.item_nos) c (execution_id, task_no, item_no)
       JOIN ONLY ${task} t ON t.execution_id = c.execution_id AND t.task_no = c.task_no AND t.item_no = c.item_no
      WHERE l.expires_at > ${clock.now} AND t.status = 'Running' LIMIT 1`,
  );
  return rows.length > 0;
}

/** Whether a living process runs any task. It reads the whole table. */
async function isRunning(client: pg.ClientBase, schema: string): Promise<boolean> {
  const { task, lease, clock } = tenantTables(quoteIdentifier(schema));
  const rows = await readRows(
    client,
    `SELECT FROM ONLY ${task} t JOIN ONLY ${lease} l ON l.instance_id = t.owner
      WHERE t.status = 'Running' AND l.expires_at > ${clock.now} LIMIT 1`,
  );
  return rows.length > 0;
}

async function runningTasks(client: pg.ClientBase, schema: string): Promise<string[]> {
  const rows = await readRows<{ name: string }>(
    client,
    `SELECT format('%s of execution %s (%s)', task, execution_id, coalesce(process, 'no process')) AS name
       FROM ${quoteIdentifier(schema)}.cloacina_task WHERE status = 'Running' LIMIT ${MAX_LISTED + 1}`,
  );
  return rows.map(({ name }) => name);
}
