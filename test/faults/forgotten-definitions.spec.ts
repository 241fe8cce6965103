import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { waitFor } from '../support/wait-for.js';
import { FaultyServer } from './server/faulty-server.js';
import { seedOfRun } from './workload/random.js';
import { BOUND_MS, chainOf, report, Scene } from './workload/scene.js';

const seed = seedOfRun();
let server: FaultyServer;
beforeAll(async () => {
  server = await FaultyServer.start();
}, 60_000);
afterAll(async () => {
  report('injected', Object.fromEntries(server.injected));
  await server.close();
});

/** Two builds of one workflow, and another one with the same tasks: only its name tells it from the second build. */
const OLD_ORDER = chainOf('order', { name: 'first' });
const ORDER = chainOf('order', { name: 'first', gated: true }, { name: 'second' });
const REFUND = chainOf('refund', { name: 'first', gated: true }, { name: 'second' });

/** How the database comes to forget `order`'s second definition after a process has registered it. */
const LOSSES: Record<string, (scene: Scene, register: () => Promise<void>) => Promise<void>> = {
  async 'goes back, same timeline,'(scene, register) {
    await scene.server.backup('then');
    await register();
    await scene.server.goBack('then', 'same timeline');
  },
  async 'goes back, new timeline,'(scene, register) {
    await scene.server.backup('then');
    await register();
    await scene.server.goBack('then', 'new timeline');
  },
  async 'drops the schema'(scene, register) {
    await register();
    scene.server.count('DROP SCHEMA');
    await scene.server.query(`DROP SCHEMA ${scene.schema} CASCADE`);
  },
  async 'truncates all tables'(scene, register) {
    await register();
    scene.server.count('TRUNCATE');
    await scene.truncate();
  },
};

test.each(Object.keys(LOSSES))(
  'No order runs as a refund when the server %s and another process registers what takes its place',
  async (name) => {
    const scene = new Scene(server, {
      seed,
      plans: [ORDER, REFUND],
      leaseDurationMs: 300_000,
    });
    await scene.play(async () => {
      const before = await scene.worker({ plans: [OLD_ORDER] });
      await before.kill('SIGTERM');
      let starts = before;
      await LOSSES[name]?.(scene, async () => {
        starts = await scene.worker({ plans: [ORDER] });
      });
      const other = await scene.worker({ plans: [OLD_ORDER, REFUND] });
      await scene.prepareAgain();
      const id = await scene.startOne(starts, 'order');
      const run = await scene.hasBegun(id, 'first');
      expect(run).toMatchObject({ workflow: 'order', by: 'worker 2' });
      await starts.kill();
      // Its task is somebody else's to begin, or nobody's here: either is seen soon after the death was.
      await waitFor(
        async () =>
          scene.entries().some(({ by }) => by === 'worker 3') ||
          (await scene.query('SELECT FROM cloacina_recovery_event')).length > 0,
        { deadline: BOUND_MS, what: 'the recovery of what the dead process ran' },
      );
      scene.folder.openGate('first');
      const refund = await scene.startOne(other, 'refund');
      await scene.statusIs(refund, 'Completed');
      const ran = scene.entries().filter(({ executionId }) => executionId === id);
      expect(ran.filter(({ workflow }) => workflow !== 'order')).toEqual([]);
      // A process that has it comes, and it ends as what it was started as.
      await scene.worker({ plans: [ORDER] });
      await scene.settle(BOUND_MS);
      expect(
        await scene.query(
          `SELECT x.id FROM cloacina_workflow_execution x
           LEFT JOIN cloacina_workflow_definition d ON d.id = x.definition_id AND d.name = x.workflow
           WHERE d.id IS NULL`,
        ),
      ).toEqual([]);
      report(`the server ${name}`, await scene.exits());
      expect(await scene.violations()).toEqual([]);
    });
  },
  180_000,
);
