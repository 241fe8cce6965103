import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { CloacinaAdmin } from '../../lib/tenants/admin/cloacina-admin.js';
import type { MovePhase } from '../../lib/tenants/moving/move-options.js';
import { onDatabase, stateOf } from '../integration/moving/compare.js';
import { CreateEffects1700000000001 } from '../integration/moving/effects.js';
import type { Moving } from '../integration/moving/moving-process.js';
import { startChild, type TestChild } from '../support/child-process.js';
import { freshSchema } from '../support/postgres.js';
import { waitFor } from '../support/wait-for.js';
import type { Acknowledged, MovedWorkerSettings } from './moves/moved-worker.js';
import { FaultyServer } from './server/faulty-server.js';
import { pick, randomFrom, seedOfRun } from './workload/random.js';

/** `FAULTS=short`: what fits into a CI run. `MOVES` is another number of them. */
const SHORT = process.env['FAULTS'] === 'short';
const MOVES = Number(process.env['MOVES'] ?? (SHORT ? 6 : 100));
const TENANTS = SHORT ? 2 : 4;
const WORKERS = 2;
const PHASES: readonly MovePhase[] = [
  'preparing',
  'copying',
  'catchingUp',
  'stopping',
  'carrying',
  'switching',
  'validating',
];
const MOVER = new URL('../integration/moving/moving-process.ts', import.meta.url);
const WORKER = new URL('moves/moved-worker.ts', import.meta.url);

const servers: Record<string, FaultyServer> = {};
beforeAll(async () => {
  const started = await Promise.all(
    ['a', 'b', 'c'].map(async (name) => [name, await FaultyServer.start()] as const),
  );
  for (const [name, server] of started) servers[name] = server;
}, 120_000);
afterAll(() => Promise.all(Object.values(servers).map((server) => server.close())));

it(`${MOVES} moves around three servers, with kills at each step, lose nothing and run nothing twice`, async () => {
  const random = randomFrom(seedOfRun());
  const names = Object.keys(servers);
  const urls = Object.fromEntries(names.map((name) => [name, servers[name]?.url ?? '']));
  const tenants = Object.fromEntries(
    Array.from({ length: TENANTS }, (_, n) => [
      freshSchema('around'),
      names[n % names.length] ?? '',
    ]),
  );
  const acknowledged: Acknowledged[] = [];
  const workers: TestChild[] = [];
  let started = 0;
  const startWorker = (): TestChild => {
    const settings: MovedWorkerSettings = { name: `w${++started}`, servers: urls, tenants };
    const child = startChild(WORKER, { env: { MOVED_WORKER: JSON.stringify(settings) } });
    workers.push(child);
    return child;
  };
  const collect = (child: TestChild): void => {
    for (const message of child.messages as Partial<Acknowledged>[])
      if (message.id !== undefined) acknowledged.push(message as Acknowledged);
  };
  let living = Array.from({ length: WORKERS }, startWorker);
  await Promise.all(
    living.map((child) => child.message(({ ready }: { ready?: true }) => ready === true)),
  );

  const admin = new CloacinaAdmin({
    servers: Object.fromEntries(names.map((name) => [name, { databaseUrl: urls[name] ?? '' }])),
  });
  const counts = { moved: 0, interrupted: 0 };
  for (let n = 0; n < MOVES; n++) {
    const schema = pick(random, Object.keys(tenants));
    const to = pick(random, names);
    const phase = PHASES[n % PHASES.length] ?? 'copying';
    const fault = n % 4;
    const moving: Moving = {
      schema,
      to,
      servers: urls,
      migrations: 'effects',
      ...(fault === 0 ? { dieAt: phase } : {}),
    };
    const mover = startChild(MOVER, { env: { MOVING: JSON.stringify(moving) } });
    const reached = waitFor(
      () =>
        !mover.running ||
        mover.messages.some((message) => Reflect.get(Object(message), 'phase') === phase),
      { what: `phase ${phase}`, deadline: 600_000 },
    );
    await reached.catch((error: unknown) => {
      throw new Error(`The mover said ${JSON.stringify(mover.messages)}`, { cause: error });
    });
    if (fault === 1) await servers[pick(random, names)]?.restart('immediate');
    if (fault === 2) {
      const victim = pick(random, living);
      await victim.kill('SIGKILL');
      living = [...living.filter((child) => child !== victim), startWorker()];
    }
    const { signal } = await mover.exit;
    counts[signal === null ? 'moved' : 'interrupted']++;
    // Whatever has happened, the next call ends it.
    await waitFor(
      async () => {
        await admin.moveTenant({ schema, to, migrations: [CreateEffects1700000000001] });
        await admin.finishMove({ schema });
        return true;
      },
      { what: `the move of ${schema} to ${to}`, every: 100, deadline: 600_000 },
    );
    await expectOneLive(schema);
  }

  const stopping = living.map(async (child) => {
    await child.message(({ ready }: { ready?: true }) => ready === true);
    child.send({ order: 'stop' });
    await child.message(({ stopped }: { stopped?: true }) => stopped === true);
  });
  await Promise.all(stopping);
  workers.forEach(collect);
  expect(acknowledged.length).toBeGreaterThan(MOVES);

  for (const schema of Object.keys(tenants)) {
    const place = await expectOneLive(schema);
    const url = urls[place] ?? '';
    await waitFor(
      async () => {
        const [row] = await rowsIn<{ open: number }>(
          url,
          schema,
          `SELECT count(*)::integer AS open FROM cloacina_workflow_execution WHERE completed_at IS NULL`,
        );
        return row?.open === 0;
      },
      { what: `the ends in ${schema}`, every: 100, deadline: 600_000 },
    );
    const ended = await rowsIn<{ id: string; status: string; effects: number }>(
      url,
      schema,
      `SELECT e.id, e.status, (SELECT count(*)::integer FROM effect f WHERE f.execution_id = e.id) AS effects
         FROM cloacina_workflow_execution e`,
    );
    // An effect that was committed twice would have failed its task.
    expect(ended.filter(({ status, effects }) => status !== 'Completed' || effects !== 2)).toEqual(
      [],
    );
    const there = new Set(ended.map(({ id }) => id));
    const lost = acknowledged.filter(({ tenant, id }) => tenant === schema && !there.has(id));
    expect(lost).toEqual([]);
    const [orphans] = await rowsIn<{ count: number }>(
      url,
      schema,
      `SELECT count(*)::integer AS count FROM effect f
        WHERE NOT EXISTS (SELECT FROM cloacina_workflow_execution e WHERE e.id = f.execution_id)`,
    );
    expect(orphans?.count).toBe(0);
  }
  process.stdout.write(`${JSON.stringify({ ...counts, acknowledged: acknowledged.length })}\n`);
  await Promise.all(living.map((child) => child.kill()));

  /** The only server on which the tenant lives. */
  async function expectOneLive(schema: string): Promise<string> {
    const states = await waitFor(() =>
      Promise.all(
        names.map(async (name) => [name, await stateOf(urls[name] ?? '', schema)] as const),
      ),
    );
    const live = states.filter(
      ([, state]) => state !== undefined && state !== 'moved' && state !== 'arriving',
    );
    expect(live).toHaveLength(1);
    return live[0]?.[0] ?? '';
  }
  // Beside other work, a hundred moves take more than half an hour.
}, 5_400_000);

function rowsIn<R extends object>(url: string, schema: string, sql: string): Promise<R[]> {
  return onDatabase(url, schema, async (client) => (await client.query<R>(sql)).rows);
}
