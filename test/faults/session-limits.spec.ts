import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { setTimeout as delay } from 'node:timers/promises';
import { waitFor } from '../support/wait-for.js';
import { FaultyServer } from './server/faulty-server.js';
import { illegalHistories } from './workload/legal-history.js';
import { seedOfRun } from './workload/random.js';
import { BOUND_MS, chainOf, report, Scene } from './workload/scene.js';

const seed = seedOfRun();
let server: FaultyServer;
let major = 0;
beforeAll(async () => {
  server = await FaultyServer.start();
  const [row] = await server.query<{ major: number }>(
    `SELECT current_setting('server_version_num')::integer / 10000 AS major`,
  );
  major = row?.major ?? 0;
}, 60_000);
afterAll(async () => {
  report('injected', Object.fromEntries(server.injected));
  await server.close();
});

/** One attempt each: what the limits do to the library's own statements costs none. */
const PLANS = [
  chainOf('plain', { name: 'first', maxAttempts: 1 }, { name: 'second', maxAttempts: 1 }),
  chainOf(
    'transactional',
    { name: 'first', maxAttempts: 1, kind: 'transactional' },
    { name: 'second', maxAttempts: 1, kind: 'transactional' },
  ),
];
const EXECUTIONS = 5;

async function limited(
  owner: 'DATABASE' | 'ROLE',
  settings: Readonly<Record<string, string>>,
  work: () => Promise<void>,
): Promise<void> {
  const owned = `ALTER ${owner} postgres`;
  for (const [name, value] of Object.entries(settings)) {
    server.count(name);
    await server.query(`${owned} SET ${name} TO '${value}'`);
  }
  try {
    await work();
  } finally {
    await server.query(`${owned} RESET ALL`);
  }
}

/** Holds the rows of all tasks and executions as a session does that somebody left open. */
async function holdRows(scene: Scene, forMs: number): Promise<number> {
  server.count('rows held');
  const client = await server.admin();
  try {
    const limits = LIMITS.flatMap(([, { settings }]) => Object.keys(known(settings)));
    for (const limit of new Set(limits)) await client.query(`SET ${limit} TO 0`);
    await client.query(`SET search_path TO ${scene.schema}`);
    await client.query('BEGIN');
    const rows = await client.query(`SELECT FROM cloacina_task_execution
      WHERE status = 'Running' ORDER BY execution_id, task_no FOR UPDATE`);
    await client.query('SELECT FROM cloacina_workflow_execution ORDER BY id FOR UPDATE');
    await delay(forMs);
    await client.query('COMMIT');
    return rows.rowCount ?? 0;
  } finally {
    await client.end();
  }
}

interface Limits {
  readonly settings: Readonly<Record<string, string>>;
  readonly handlerMs: number;
  readonly heldForMs: number;
}

/** Handlers are far within what a transaction may take; the rows are held for longer than the limit. */
const LIMITS: [string, Limits][] = [
  [
    'statement_timeout',
    { settings: { statement_timeout: '1500ms' }, handlerMs: 700, heldForMs: 4_000 },
  ],
  ['lock_timeout', { settings: { lock_timeout: '700ms' }, handlerMs: 700, heldForMs: 4_000 }],
  [
    'idle_in_transaction_session_timeout',
    {
      settings: { idle_in_transaction_session_timeout: '5s' },
      handlerMs: 700,
      heldForMs: 7_000,
    },
  ],
  [
    'transaction_timeout',
    { settings: { transaction_timeout: '5s' }, handlerMs: 700, heldForMs: 8_000 },
  ],
  [
    'all of them',
    {
      settings: {
        statement_timeout: '1500ms',
        lock_timeout: '1s',
        idle_in_transaction_session_timeout: '5s',
        transaction_timeout: '5s',
      },
      handlerMs: 700,
      heldForMs: 8_000,
    },
  ],
];

/** The server's, as far as it has them. */
function known(settings: Limits['settings']): Record<string, string> {
  return Object.fromEntries(
    Object.entries(settings).filter(([name]) => name !== 'transaction_timeout' || major >= 17),
  );
}

test.each(
  LIMITS.flatMap(([name, limits], no) => [
    [name, no % 2 === 0 ? 'DATABASE' : 'ROLE', limits] as const,
  ]),
)(
  'Outcomes under %s of the %s are recorded once the rows that somebody held are free',
  async (name, owner, { settings, handlerMs, heldForMs }) => {
    await limited(owner, known(settings), async () => {
      const scene = new Scene(server, {
        seed,
        plans: PLANS,
        handlerMs,
        leaseDurationMs: 300_000,
        poolSize: 12,
      });
      await scene.play(async () => {
        const workers = [await scene.worker(), await scene.worker()];
        for (const worker of workers) await scene.started(worker, EXECUTIONS);
        await scene.begun(PLANS.length);
        const held = await holdRows(scene, heldForMs);
        await scene.settle(BOUND_MS);
        // It takes new work as before.
        for (const worker of workers) await scene.started(worker, 1);
        expect(await scene.settle(BOUND_MS)).toBe(PLANS.length * 2 * (EXECUTIONS + 1));
        report(`${name} of the ${owner}`, { held, ...(await scene.exits()) });
        expect(await scene.violations()).toEqual([]);
        expect(scene.folder.refused()).toEqual([]);
      });
    });
  },
  240_000,
);

/** The limit is shorter than the handler: no attempt can ever be recorded. */
const TOO_SHORT: [string, Record<string, string>][] = [
  ['idle_in_transaction_session_timeout', { idle_in_transaction_session_timeout: '500ms' }],
  ['transaction_timeout', { transaction_timeout: '500ms' }],
];

test.each(TOO_SHORT)(
  'A transactional task that takes longer than %s allows comes to an end after a few runs',
  async (name, settings) => {
    const attempts = 3;
    await limited('DATABASE', known(settings), async () => {
      const scene = new Scene(server, {
        seed,
        handlerMs: 3_000,
        leaseDurationMs: 300_000,
        plans: [chainOf('long', { name: 'only', kind: 'transactional', maxAttempts: attempts })],
      });
      await scene.play(async () => {
        const worker = await scene.worker();
        const id = await scene.startOne(worker, 'long');
        await waitFor(
          async () =>
            (
              await scene.query(
                'SELECT FROM cloacina_workflow_execution WHERE id = $1 AND completed_at IS NOT NULL',
                [id],
              )
            ).length > 0,
          { deadline: 2 * BOUND_MS, what: 'the end of what can not be recorded' },
        );
        const runs = scene.entries().filter(({ what }) => what === 'begun').length;
        report(`a handler longer than ${name}`, { runs, ...(await scene.exits()) });
        // Where the library's sessions have another limit, or the server has none, it is Completed.
        const ended = await scene.query<{ status: string }>(
          'SELECT status FROM cloacina_workflow_execution',
        );
        expect(['Completed', 'Failed']).toContain(ended[0]?.status);
        // A few may be put down to the connection, and not all of them.
        expect(runs).toBeLessThanOrEqual(attempts * 2);
        expect(await scene.query('SELECT FROM effect')).toHaveLength(
          ended[0]?.status === 'Failed' ? 0 : 1,
        );
        expect(await illegalHistories((text) => scene.query(text))).toEqual([]);
      });
    });
  },
  240_000,
);
