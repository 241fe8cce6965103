import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { setTimeout as delay } from 'node:timers/promises';
import type pg from 'pg';
import { FaultyServer } from './server/faulty-server.js';
import { STATEMENTS } from './workload/failpoints.js';
import { planWorkflows } from './workload/plan.js';
import { pick, randomFrom, seedOfRun } from './workload/random.js';
import { chainOf, report, Scene } from './workload/scene.js';

/** `FAULTS=short`: what fits into a CI run. */
const SHORT = process.env['FAULTS'] === 'short';
const CANCELS = SHORT ? 80 : 300;

const seed = seedOfRun();
let server: FaultyServer;
beforeAll(async () => {
  server = await FaultyServer.start();
}, 60_000);
afterAll(() => server.close());

/** Statements last long enough to be met: the hot ones at their end, and commits of transactional tasks. */
const SLOW = `
CREATE FUNCTION be_slow() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN PERFORM pg_sleep(0.015); RETURN NULL; END $$;
CREATE TRIGGER slow_tasks AFTER INSERT OR UPDATE ON cloacina_task_execution
  FOR EACH STATEMENT EXECUTE FUNCTION be_slow();
CREATE TRIGGER slow_leases AFTER INSERT OR UPDATE OR DELETE ON cloacina_runner_lease
  FOR EACH STATEMENT EXECUTE FUNCTION be_slow();
CREATE CONSTRAINT TRIGGER slow_commit AFTER INSERT ON effect DEFERRABLE INITIALLY DEFERRED
  FOR EACH ROW EXECUTE FUNCTION be_slow();`;

/** Statements of handlers are left alone: those are the attempt's own. One may still be met in a race. */
const ACTIVE = `SELECT pid, query FROM pg_stat_activity
  WHERE application_name LIKE 'cloacina:%' AND state = 'active' AND query NOT LIKE '%INTO effect%'`;

function kindOf(query: string): string {
  const found = Object.entries(STATEMENTS).find(([, text]) => query.includes(text));
  return found?.[0] ?? 'another';
}

async function cancelOne(client: pg.Client, random: () => number): Promise<boolean> {
  const { rows } = await client.query<{ pid: number; query: string }>(ACTIVE);
  if (rows.length === 0) return false;
  const { pid, query } = pick(random, rows);
  await client.query('SELECT pg_cancel_backend($1)', [pid]);
  server.count(`cancelled: ${kindOf(query)}`);
  return true;
}

const ONCE = [
  chainOf('plain-once', { name: 'only', maxAttempts: 1 }),
  chainOf('once', { name: 'only', maxAttempts: 1, kind: 'transactional' }),
  chainOf(
    'twice-once',
    { name: 'first', maxAttempts: 1, kind: 'transactional' },
    { name: 'second', maxAttempts: 1, kind: 'transactional' },
  ),
];

test('Statements of the library that are cancelled at random cost nothing but time', async () => {
  const random = randomFrom(seed);
  const plans = [...planWorkflows(seed, 4), ...ONCE];
  const scene = new Scene(server, {
    seed,
    plans,
    handlerMs: 10,
    leaseDurationMs: 300_000,
    poolSize: 10,
  });
  await scene.play(async () => {
    const workers = [await scene.worker(), await scene.worker()];
    await scene.query(SLOW);
    const client = await server.admin();
    let cancelled = 0;
    const rounds = SHORT ? 4 : 10;
    for (let round = 1; round <= rounds; round++) {
      for (const worker of workers) scene.start(worker, 2);
      while (cancelled < (CANCELS * round) / rounds) {
        const { rows } = await client.query<{ open: number }>(
          `SELECT count(*)::integer AS open FROM ${scene.schema}.cloacina_workflow_execution
           WHERE completed_at IS NULL`,
        );
        if (await cancelOne(client, random)) cancelled++;
        // It keeps something to do; what is stuck is seen at the end.
        else if (rows[0]?.open === 0) for (const worker of workers) scene.start(worker, 1);
        await delay(random() * 15);
      }
    }
    await client.end();
    for (const worker of workers) await scene.started(worker, 1);
    const ended = await scene.settle(60_000);
    report('cancelled statements', {
      seed,
      executions: ended,
      refused: scene.folder.refused().length,
      ...(await scene.exits()),
      ...Object.fromEntries(server.injected),
    });
    expect(scene.accepted().size).toBeGreaterThan(plans.length * 2);
    expect(await scene.violationsButOwn()).toEqual([]);
    // Callers are told nothing of it.
    expect(scene.folder.refused()).toEqual([]);
  });
}, 300_000);
