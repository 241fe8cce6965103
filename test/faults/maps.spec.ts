import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, describe, expect, it } from '@jest/globals';
import { startChild, type TestChild } from '../support/child-process.js';
import { openTenant, type OpenTenant } from '../support/open-tenant.js';
import { freshSchema } from '../support/postgres.js';
import { waitFor } from '../support/wait-for.js';
import { beginsOf, bigMap, gateOf, PART } from './maps/big-map.js';
import { auditEnds, doubledEnds, mapRow } from './maps/map-audit.js';
import type { MapWorkerSettings } from './maps/map-worker.js';
import { pick, randomFrom, seedOfRun } from './workload/random.js';
import { report } from './workload/scene.js';

const SHORT = process.env['FAULTS'] === 'short';
const ITEMS = 2 * PART;
const PROCESSES = SHORT ? 4 : 8;
const KILLS = SHORT ? 4 : 12;
const SCRIPT = new URL('maps/map-worker.ts', import.meta.url);
/** A bound on what has to happen, in milliseconds: far beyond what it takes. */
const LONG = { deadline: 120_000 };

const random = randomFrom(seedOfRun());
const folders = mkdtempSync(path.join(tmpdir(), 'cloacina-maps-'));
afterAll(() => rmSync(folders, { recursive: true, force: true }));

/** An execution of a map that no process runs yet, and the processes for it. */
class MapRun {
  readonly folder = mkdtempSync(path.join(folders, 'run-'));
  id = '';

  private constructor(
    readonly client: OpenTenant,
    private readonly settings: Omit<MapWorkerSettings, 'folder' | 'schema'>,
  ) {}

  static async open(settings: Omit<MapWorkerSettings, 'folder' | 'schema'>): Promise<MapRun> {
    const schema = freshSchema();
    const definition = bigMap({ ...settings, folder: '' });
    const options = { schema, maxConcurrentTasks: 0, leaseDurationMs: 3_000 };
    const run = new MapRun(await openTenant([definition], options), settings);
    writeFileSync(beginsOf(run.folder), '');
    await auditEnds(run.client);
    run.id = (await run.client.runner.start('big')).id;
    return run;
  }

  async worker(): Promise<TestChild> {
    const { folder, client, settings } = this;
    const own: MapWorkerSettings = { ...settings, folder, schema: client.schema };
    const child = startChild(SCRIPT, { env: { MAP_WORKER: JSON.stringify(own) } });
    await child.message<{ kind: string }>(({ kind }) => kind === 'ready');
    return child;
  }

  pass(gate: Parameters<typeof gateOf>[1]): void {
    writeFileSync(gateOf(this.folder, gate), '');
  }

  /** How often a process began to make the items. */
  begins(): number {
    return readFileSync(beginsOf(this.folder), 'utf8').split('\n').length - 1;
  }

  async completed(count: number): Promise<void> {
    await waitFor(async () => (await mapRow(this.client, this.id)).completed >= count, {
      ...LONG,
      what: `${count} completed items`,
    });
  }

  async expectJoined(items: number): Promise<void> {
    const { status, context } = await this.client.runner
      .handle(this.id)
      .result({ settled: true, timeout: LONG.deadline });
    expect({ status, context }).toEqual({
      status: 'Completed',
      context: {
        each: { total: items, completed: items, failed: 0, cancelled: 0 },
        sum: (items * (items - 1)) / 2,
      },
    });
    expect(await mapRow(this.client, this.id)).toMatchObject({
      pending: 0,
      unmet: 0,
      stored: items,
      completed: items,
    });
  }
}

it(`A map of ${ITEMS} items in ${PROCESSES} processes, of which one is killed each second, is joined once`, async () => {
  const run = await MapRun.open({ items: ITEMS, handlerMs: SHORT ? 20 : 50, slots: 6 });
  run.pass('parts');
  const workers = await Promise.all(Array.from({ length: PROCESSES }, () => run.worker()));
  const booting: Promise<unknown>[] = [];
  const ended: number[] = [];
  for (let kill = 0; kill < KILLS; kill++) {
    await Promise.all([delay(1_000), waitFor(() => workers.length > 0, { what: 'a process' })]);
    const victim = pick(random, workers);
    workers.splice(workers.indexOf(victim), 1);
    await victim.kill();
    ended.push((await mapRow(run.client, run.id)).completed);
    // The next kill does not wait for it.
    booting.push(run.worker().then((worker) => workers.push(worker)));
  }
  await Promise.all(booting);
  run.pass('first');
  await run.expectJoined(ITEMS);
  expect(await doubledEnds(run.client)).toEqual([]);
  const [lost] = await run.client.query<{ n: number }>(
    `SELECT count(*)::integer AS n FROM cloacina_recovery_event WHERE kind = 'recovered'`,
  );
  report(`kills of ${PROCESSES} processes with ${ITEMS} items`, {
    endedAtKills: ended.join(' '),
    recoveredClaims: lost?.n ?? 0,
  });
}, 300_000);

describe('A process that stops for longer than its lease and goes on when others have run its items', () => {
  async function withZombie(without?: 'fence'): Promise<MapRun> {
    const items = 400;
    const run = await MapRun.open({ items, handlerMs: 20, slots: 10, without });
    const zombie = await run.worker();
    await run.completed(1);
    zombie.signal('SIGSTOP');
    const survivor = await run.worker();
    run.pass('first');
    await run.expectJoined(items);
    expect(await doubledEnds(run.client)).toEqual([]);
    await survivor.kill();
    zombie.signal('SIGCONT');
    // What it comes back with is sent before it takes new work.
    await run.client.runner.execute('big');
    return run;
  }

  it('changes no outcome', async () => {
    const run = await withZombie();
    expect(await doubledEnds(run.client)).toEqual([]);
  }, 240_000);

  it('does without the fence, so the check can fail', async () => {
    const run = await withZombie('fence');
    await waitFor(async () => (await doubledEnds(run.client)).length > 0, {
      ...LONG,
      what: 'a second outcome',
    });
  }, 240_000);
});

describe('A map whose items end while it reads the next ones', () => {
  const SETTINGS = { items: PART + 10, handlerMs: 0, slots: 200 };

  it('is not claimed again', async () => {
    const run = await MapRun.open(SETTINGS);
    run.pass('first');
    await run.worker();
    await run.completed(PART);
    expect(await mapRow(run.client, run.id)).toMatchObject({ status: 'Running', pending: 1 });
    run.pass('parts');
    await run.expectJoined(SETTINGS.items);
    expect(run.begins()).toBe(1);
    expect(await doubledEnds(run.client)).toEqual([]);
  }, 120_000);

  it('is without its counter, so the check can fail', async () => {
    const run = await MapRun.open({ ...SETTINGS, without: 'counter' });
    run.pass('first');
    await run.worker();
    await waitFor(() => run.begins() > 1, { ...LONG, what: 'a second claim of the map' });
  }, 120_000);
});
