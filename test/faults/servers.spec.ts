import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { TestChild } from '../support/child-process.js';
import { FaultyServer } from './server/faulty-server.js';
import { pick, randomFrom, seedOfRun } from './workload/random.js';
import { planWorkflows } from './workload/plan.js';
import { Workload } from './workload/workload.js';

/** `FAULTS=short`: each server once. */
const KILLS = process.env['FAULTS'] === 'short' ? 3 : 12;
const NAMES = ['eu', 'us', 'ap'];
/** Fewer than the tasks of one tenant, which could take them all. */
const SLOTS = 12;

const seed = seedOfRun();
let servers: FaultyServer[] = [];
beforeAll(async () => {
  servers = await Promise.all(NAMES.map(() => FaultyServer.start()));
}, 120_000);
afterAll(() => Promise.all(servers.map((server) => server.close())));

/** A workload for each server, and processes that work on all of them. */
class Fleet {
  private readonly plans = planWorkflows(seed, 4);
  readonly workloads = servers.map(
    (server, i) =>
      new Workload({
        url: server.url,
        directUrl: () => server.directUrl,
        schema: `fleet_${NAMES[i]}`,
        server: NAMES[i] ?? '',
        seed,
        plans: this.plans,
        handlerMs: 30,
        leaseDurationMs: 4_000,
      }),
  );

  async worker(): Promise<void> {
    const [first, ...others] = this.workloads;
    const child = await first?.worker({
      others: others.map(({ place }) => place),
      slots: SLOTS,
      startTimeoutMs: 1_000,
    });
    if (child === undefined) throw new Error('There is no workload.');
    for (const other of others) await other.adopt(child);
  }

  get living(): TestChild[] {
    return (this.workloads[0]?.workers ?? []).filter((child) => child.running);
  }

  /** Ends the processes in good order, and checks what came of the work on each server. */
  async violations(): Promise<string[]> {
    // Before the first check ends them.
    await Promise.all(this.workloads.map((workload) => workload.deadLeasesEnded()));
    const found: string[] = [];
    for (const workload of this.workloads) found.push(...(await workload.violations()));
    return found;
  }

  async end(): Promise<void> {
    await Promise.all(this.living.map((child) => child.kill()));
    for (const workload of this.workloads) workload.remove();
  }
}

test('Servers that are killed harm no tenant of another one, and lose nothing of their own', async () => {
  const random = randomFrom(seed);
  const fleet = new Fleet();
  const log: string[] = [];
  try {
    await fleet.worker();
    await fleet.worker();
    const endedWhileDown: number[] = [];
    for (let kill = 0; kill < KILLS; kill++) {
      // Each in its turn, so that a short run has all of them.
      const at = kill % servers.length;
      const [server, lost] = [servers[at], fleet.workloads[at]];
      if (server === undefined || lost === undefined) throw new Error('No such server.');
      const before = lost.entries().filter(({ what }) => what === 'begun').length;
      for (const workload of fleet.workloads) workload.start(pick(random, fleet.living), 4);
      await lost.begun(before + SLOTS);
      log.push(`kill ${NAMES[at]}`);
      await server.kill();
      await server.refuse();
      // It may hold tasks of all servers, and the next process boots without one of them.
      if (kill % servers.length !== 0) {
        log.push('kill a process');
        await pick(random, fleet.living).kill();
        await fleet.worker();
      }
      const others = fleet.workloads.filter((workload) => workload !== lost);
      for (const workload of [lost, ...others]) workload.start(pick(random, fleet.living), 2);
      // All that they have, while the server is away.
      for (const workload of others) endedWhileDown.push(await workload.settle(60_000));
      await server.startAgain();
      await server.listen();
    }
    for (const workload of fleet.workloads) workload.start(pick(random, fleet.living), 2);
    const ended: number[] = [];
    for (const workload of fleet.workloads) ended.push(await workload.settle(60_000));
    expect(endedWhileDown).toHaveLength(2 * KILLS);
    expect(await fleet.violations()).toEqual([]);
    process.stdout.write(`${KILLS} kills, executions by server: ${ended.join(', ')}\n`);
  } catch (error) {
    const told = (fleet.workloads[0]?.workers ?? []).map(({ output }) => output.slice(-4_000));
    throw new Error(
      `FAULTS_SEED=${seed} replays it. Faults: ${log.join(', ')}\n${told.join('\n')}`,
      { cause: error },
    );
  } finally {
    await fleet.end();
  }
}, 600_000);
