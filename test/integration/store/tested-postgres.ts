import { randomUUID } from 'node:crypto';
import type pg from 'pg';
import { CHANNEL } from '../../../lib/store/postgres/statements/wake-ups.js';
import { PoolSession } from '../../../lib/store/postgres/session/pool-session.js';
import type { OpenedStore, TaskChange } from '../../conformance/tested-store.js';
import type { LeaseColumns } from '../../conformance/stored-rows.js';
import { openStore } from './open-store.js';
import { rowsOf } from './rows.js';
import { systemClock } from '../../../lib/runtime/clock.js';
import { listClaims } from '../../support/list-claims.js';

const COLUMNS: Readonly<Record<keyof TaskChange, string>> = {
  runInMs: 'run_at',
  deferredForMs: 'deferred_since',
  claimToken: 'claim_token',
  owner: 'owner',
  attempt: 'attempt',
  recoveryAttempts: 'recovery_attempts',
  unmetDependencies: 'unmet_dependencies',
  generation: 'generation',
};

/** The store on PostgreSQL, for the conformance suite. */
export async function openPostgres(): Promise<OpenedStore> {
  const open = await openStore();
  const { admin, tables, store } = open;
  return {
    store,
    keeping: open.keeping,
    session: new PoolSession(open.pools, systemClock),
    rowsOf: (id) => rowsOf(open, id),
    leaseOf: async ({ instanceId }) => {
      const { rows } = await admin.query<LeaseColumns>(
        `SELECT * FROM ${tables.lease} WHERE instance_id = $1`,
        [instanceId],
      );
      return rows[0];
    },
    changeTask: async (id, taskNo, change) => {
      const values = Object.entries(change);
      const sets = values.map(
        ([key], i) => `${COLUMNS[key as keyof TaskChange]} = ${valueOf(key, `$${i + 3}`)}`,
      );
      await admin.query(
        `UPDATE ${tables.task} SET ${sets.join()} WHERE execution_id = $1 AND task_no = $2`,
        [id, taskNo, ...values.map(([, value]) => value)],
      );
      if (change.owner !== undefined)
        await admin.query(listClaims(`${tables.task.split('.')[0]}.`));
    },
    addItems: async (id, taskNo, count) => {
      await admin.query(
        `WITH head AS (
           UPDATE ${tables.task} SET status = 'Waiting', claim_token = claim_token + 1, owner = NULL,
                  pending_dependencies = $3, item_count = $3
           WHERE execution_id = $1 AND task_no = $2 AND item_no = 0 RETURNING *
         )
         INSERT INTO ${tables.task} (execution_id, task_no, item_no, definition_id, priority, status, run_at, item)
         SELECT execution_id, task_no, n, definition_id, priority, 'Ready', clock_timestamp(), to_json(n)
         FROM head, generate_series(1, $3::integer) n`,
        [id, taskNo, count],
      );
    },
    deleteExecution: async (id) => {
      await admin.query(`DELETE FROM ${tables.task} WHERE execution_id = $1`, [id]);
      await admin.query(`DELETE FROM ${tables.execution} WHERE id = $1`, [id]);
    },
    beginFinish: async (id, outcome) => {
      await admin.query(
        `UPDATE ${tables.execution} SET status = 'Finishing', outcome = $2 WHERE id = $1`,
        [id, outcome],
      );
    },
    askedAt: async (id, inMs) => {
      await admin.query(
        `UPDATE ${tables.execution} SET run_at = ${valueOf('runInMs', '$2')} WHERE id = $1`,
        [id, inMs],
      );
    },
    setDeadline: async (id, inMs) => {
      await admin.query(
        `UPDATE ${tables.execution} SET deadline_at = ${valueOf('runInMs', '$2')} WHERE id = $1`,
        [id, inMs],
      );
    },
    forgetClaims: async ({ instanceId }) => {
      await admin.query(`DELETE FROM ${tables.claimBatch} WHERE instance_id = $1`, [instanceId]);
    },
    ageKeys: async (ms) => {
      await admin.query(
        `UPDATE ${tables.keptKey} SET kept_at = kept_at - $1 * interval '1 millisecond',
                expires_at = expires_at - $1 * interval '1 millisecond'`,
        [ms],
      );
    },
    heardDuring: (work) => heardDuring(admin, work),
    empty: async () => {
      const { execution, task, step, lease, claimBatch } = tables;
      await admin.query(`TRUNCATE ${execution}, ${task}, ${step}, ${lease}, ${claimBatch} CASCADE`);
    },
    close: () => open.close(),
  };
}

/** Listens until it hears a notification of its own, behind which there is none that was sent before. */
async function heardDuring(
  admin: pg.Client,
  work: () => Promise<unknown>,
): Promise<readonly string[]> {
  const heard: string[] = [];
  const last = randomUUID();
  let tellLast: () => void = () => undefined;
  const heardLast = new Promise<void>((resolve) => (tellLast = resolve));
  const listen = ({ payload = '' }: pg.Notification): void => {
    if (payload === last) tellLast();
    else heard.push(payload);
  };
  admin.on('notification', listen);
  await admin.query(`LISTEN ${CHANNEL}`);
  try {
    await work();
    await admin.query('SELECT pg_notify($1, $2)', [CHANNEL, last]);
    await heardLast;
  } finally {
    admin.off('notification', listen);
    await admin.query(`UNLISTEN ${CHANNEL}`);
  }
  return heard;
}

function valueOf(key: string, parameter: string): string {
  if (key === 'runInMs') return `clock_timestamp() + ${parameter} * interval '1 millisecond'`;
  if (key === 'deferredForMs') return `clock_timestamp() - ${parameter} * interval '1 millisecond'`;
  return parameter;
}
