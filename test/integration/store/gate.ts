import type pg from 'pg';
import { waitFor } from '../../support/wait-for.js';
import { applicationName, type OpenStore } from './open-store.js';
import type { Session } from './session.js';
import type { TenantTables } from '../../../lib/store/postgres/statements/statement.js';

/** A row that a gate holds: a task's, or without `taskNo` an execution's. */
export interface GateRow {
  readonly executionId: string;
  readonly taskNo?: number;
}

/** A statement on its way to a gate. */
export type Racer<T> = readonly [session: Session, send: (session: Session) => Promise<T>];

interface Course {
  readonly admin: pg.Client;
  readonly tables: TenantTables;
}

/**
 * Sends statements that all want the same rows while `keeper` holds these, and lets them go on once every one of
 * them waits. So all have their snapshots before any of them has written, and they get the rows in the order in
 * which they stand here: a race of which every step is known. `meanwhile` runs while they wait.
 */
export async function race<T>(
  { admin, tables }: Course,
  keeper: Session,
  rows: readonly GateRow[],
  racers: readonly Racer<T>[],
  meanwhile?: () => Promise<unknown>,
): Promise<T[]> {
  const running: Promise<T>[] = [];
  await keeper.begin();
  try {
    for (const row of rows) await lockRow(keeper, tables, row);
    for (const [session, send] of racers) {
      running.push(send(session));
      await untilWaiting(admin, [session]);
    }
    await meanwhile?.();
  } catch (error) {
    await keeper.commit();
    await Promise.allSettled(running);
    throw error;
  }
  await keeper.commit();
  return Promise.all(running);
}

async function lockRow(keeper: Session, tables: TenantTables, row: GateRow): Promise<void> {
  await (row.taskNo === undefined
    ? keeper.client.query(`SELECT FROM ${tables.execution} WHERE id = $1 FOR UPDATE`, [
        row.executionId,
      ])
    : keeper.client.query(
        `SELECT FROM ${tables.task} WHERE execution_id = $1 AND task_no = $2 FOR UPDATE`,
        [row.executionId, row.taskNo],
      ));
}

/** Resolves when the server says of every one of these sessions that it waits for a lock. */
export async function untilWaiting(
  admin: pg.Client,
  sessions: readonly Pick<Session, 'pid'>[],
): Promise<void> {
  await waitFor(
    async () => {
      const { rows } = await admin.query<{ waiting: number }>(
        `SELECT count(*)::integer AS waiting FROM pg_stat_activity
         WHERE pid = ANY ($1) AND state = 'active' AND wait_event_type = 'Lock'`,
        [sessions.map(({ pid }) => pid)],
      );
      return rows[0]?.waiting === sessions.length;
    },
    { every: 2, what: `${sessions.length} sessions to wait for a lock` },
  );
}

/** The same of the store's own connections: that one of them waits. */
export async function untilStoreWaits({ admin, schema }: OpenStore): Promise<void> {
  await waitFor(
    async () => {
      const { rowCount } = await admin.query(
        `SELECT FROM pg_stat_activity
         WHERE application_name = $1 AND state = 'active' AND wait_event_type = 'Lock'`,
        [applicationName(schema)],
      );
      return rowCount === 1;
    },
    { every: 2, what: 'the store to wait for a lock' },
  );
}

/** Whether somebody holds the row so that it can't be updated. */
export async function isLocked(
  { admin, tables }: Course,
  { executionId, taskNo }: GateRow,
): Promise<boolean> {
  const { rowCount } =
    taskNo === undefined
      ? await admin.query(
          `SELECT FROM ${tables.execution} WHERE id = $1 FOR NO KEY UPDATE SKIP LOCKED`,
          [executionId],
        )
      : await admin.query(
          `SELECT FROM ${tables.task} WHERE execution_id = $1 AND task_no = $2
           FOR NO KEY UPDATE SKIP LOCKED`,
          [executionId, taskNo],
        );
  return rowCount === 0;
}
