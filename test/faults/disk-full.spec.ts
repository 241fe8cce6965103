import { spawnSync } from 'node:child_process';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { setTimeout as delay } from 'node:timers/promises';
import type pg from 'pg';
import { FaultyServer } from './server/faulty-server.js';
import { raiseErrors, type RaisedErrors } from './server/raised-errors.js';
import { seedOfRun } from './workload/random.js';
import { BOUND_MS, chainOf, report, Scene } from './workload/scene.js';

/** `FAULTS=short`: what fits into a CI run. */
const SHORT = process.env['FAULTS'] === 'short';
const FULL_MS = SHORT ? 4_000 : 10_000;
const SMALL_DISK_MB = 64;

/** Where it can't mount a file system, what the server would raise is raised by triggers alone. */
const mayMount = process.getuid?.() === 0 && spawnSync('unshare', ['--mount', 'true']).status === 0;

const seed = seedOfRun();
let server: FaultyServer;
beforeAll(async () => {
  process.stdout.write(
    mayMount
      ? `disk full: a tablespace on a file system of ${SMALL_DISK_MB} MB, and raised errors\n`
      : 'disk full: raised errors only, since nothing can be mounted here\n',
  );
  server = await FaultyServer.start(mayMount ? { smallDisk: SMALL_DISK_MB } : {});
}, 60_000);
afterAll(async () => {
  report('injected', Object.fromEntries(server.injected));
  await server.close();
});

const PLANS = [
  chainOf('plain', { name: 'first', maxAttempts: 1 }, { name: 'second', maxAttempts: 1 }),
  chainOf(
    'transactional',
    { name: 'first', maxAttempts: 1, kind: 'transactional' },
    { name: 'second', maxAttempts: 1, kind: 'transactional' },
  ),
  chainOf('again', { name: 'first', kind: 'flaky' }, { name: 'second', kind: 'deferring' }),
];

function newScene(): Scene {
  return new Scene(server, {
    seed,
    plans: PLANS,
    handlerMs: 1_500,
    leaseDurationMs: 300_000,
    poolSize: 16,
  });
}

/** Work that is under way while `harm` holds, some that is started then, and what comes of it. */
async function workThrough(
  scene: Scene,
  what: string,
  harm: () => Promise<() => Promise<object>>,
): Promise<void> {
  const workers = [await scene.worker({ padding: 6_000 }), await scene.worker({ padding: 6_000 })];
  for (const worker of workers) await scene.started(worker, 3);
  await scene.begun(PLANS.length * 2);
  const heal = await harm();
  for (const worker of workers) scene.start(worker, 1);
  await delay(FULL_MS);
  const figures = await heal();
  // Nothing but what is there wakes it.
  await scene.settle(BOUND_MS);
  for (const worker of workers) await scene.started(worker, 1);
  const ended = await scene.settle(BOUND_MS);
  const refused = scene.folder.refused();
  report(what, { ended, refused: refused.length, ...figures, ...(await scene.exits()) });
  // Starts may be refused then, in the library's own words.
  for (const { code, message } of refused) {
    expect(code).toMatch(/^[A-Z]+(_[A-Z]+)+$/);
    expect(message).not.toContain('Failing row');
  }
  expect(scene.accepted().size).toBeGreaterThanOrEqual(PLANS.length * 2 * 4);
  expect(await scene.violationsButOwn()).toEqual([]);
}

/** Fills the small file system from within the server, to the last page. */
async function fill(client: pg.Client): Promise<number> {
  await client.query('CREATE TABLE public.ballast (data text) TABLESPACE small');
  await client.query('ALTER TABLE public.ballast ALTER data SET STORAGE PLAIN');
  let pages = 0;
  for (let size = 512; size >= 1;) {
    try {
      await client.query(
        `INSERT INTO public.ballast SELECT repeat('x', 7900) FROM generate_series(1, $1)`,
        [size],
      );
      pages += size;
    } catch (error) {
      if (Reflect.get(error as object, 'code') !== '53100') throw error;
      size = Math.floor(size / 4);
    }
  }
  return pages;
}

if (mayMount) {
  test('A disk that is full for some seconds in the middle of work loses and doubles nothing', async () => {
    await server.query(`CREATE TABLESPACE small LOCATION '${server.smallDisk}'`);
    await server.query('ALTER DATABASE postgres SET default_tablespace TO small');
    const scene = newScene();
    await scene.play(async () => {
      await workThrough(scene, 'a full disk', async () => {
        server.count('disk full');
        const client = await server.admin();
        const pages = await fill(client);
        return async () => {
          await client.query('DROP TABLE public.ballast');
          await client.end();
          return { pagesOfBallast: pages };
        };
      });
    });
    await server.query('ALTER DATABASE postgres RESET ALL');
  }, 240_000);
}

/** What a server says when it is short of something, or in words that the library can't know. */
const CODES = ['53100', '53200', '58030', '57014', 'XX000', '53400', 'F0000'];

test.each(SHORT ? ['53100', 'XX000'] : CODES)(
  'A server that raises %s for some seconds in the middle of work loses and doubles nothing',
  async (code) => {
    const scene = newScene();
    await scene.play(async () => {
      let errors: RaisedErrors | undefined;
      await workThrough(scene, `raised ${code}`, async () => {
        server.count(`raised ${code}`);
        errors = await raiseErrors(scene, code);
        return async () => ({ raised: await errors?.stop() });
      });
    });
  },
  240_000,
);
