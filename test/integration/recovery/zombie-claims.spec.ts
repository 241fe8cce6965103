import { describe, expect, it } from '@jest/globals';
import { illegalHistories } from '../../faults/workload/legal-history.js';
import { gate } from '../../support/gate.js';
import { processEngineOf } from '../../support/open-tenant.js';
import { waitFor } from '../../support/wait-for.js';
import { Scene } from './zombie-scene.js';

/** A process that holds a claim is given up for dead, and does not know it yet. */
async function givenUp(): Promise<Scene> {
  const scene = await Scene.open();
  await scene.zombie.runner.start('beside');
  await waitFor(() => scene.zombie.engine.claims.size === 1);
  scene.process.stop();
  await scene.giveUp();
  await waitFor(async () => (await scene.executions('completed_at IS NOT NULL')) === 1);
  scene.process.goOn();
  return scene;
}

describe('A process that was given up for dead and renews its lease', () => {
  it('finds none: it is told, drops its claims, and is another instance from then on', async () => {
    const scene = await givenUp();
    const { zombie } = scene;
    const former = zombie.engine.lease.instanceId;
    await processEngineOf(zombie).renewOnce();
    expect(zombie.engine.lease.instanceId).not.toBe(former);
    expect(zombie.engine.claims.size).toBe(0);
    await waitFor(() => scene.besides.length === 1);
    expect(scene.besides).toEqual([true]);
    await scene.goesOn();
  });

  it('works on under a lease that nobody believes, where the renewal does not say so', async () => {
    const scene = await givenUp();
    const { zombie, process, free } = scene;
    const former = zombie.engine.lease.instanceId;
    process.rewrite('(SELECT count(*)::integer FROM r0)', '1');
    await processEngineOf(zombie).renewOnce();
    expect(process.rewritten).toBe(1);
    expect(zombie.engine.lease.instanceId).toBe(former);
    await scene.settled();
    scene.handlers = { zombie: () => scene.hold(), survivor: () => undefined };
    await zombie.runner.start('plain');
    await waitFor(() => scene.begins('zombie') === 1);
    // A needless second run, of what a living process is at.
    await scene.recovered(2);
    free.open();
  });
});

describe.each([
  ['with a start', undefined],
  ['that waited', { delay: 1 }],
])('A process that was given up for dead and claims a task %s', (_, options) => {
  it('has it taken, as it has no lease, and its outcome is refused', async () => {
    const scene = await givenUp();
    const { zombie, survivor } = scene;
    const former = zombie.engine.lease.instanceId;
    scene.handlers = { zombie: () => scene.hold(), survivor: () => ({ by: 'the survivor' }) };
    // So that it is this one who claims what waits, and nobody takes it yet.
    scene.other.stop();
    const { id } = await zombie.runner.start('plain', {}, options);
    await waitFor(() => scene.begins('zombie') === 1);
    await processEngineOf(zombie).renewOnce();
    expect(zombie.engine.claims.size).toBe(0);
    // Without the look for claims that have no lease it would be nobody's for ever.
    const orphans = `SELECT FROM cloacina_task_execution WHERE status = 'Running' AND owner = $1`;
    expect(await zombie.query(orphans, [former])).toHaveLength(1);
    const leases = 'SELECT FROM cloacina_runner_lease WHERE instance_id = $1';
    expect(await zombie.query(leases, [former])).toEqual([]);
    zombie.engine.pauseClaiming();
    scene.other.goOn();
    await scene.recovered(2);
    const { status, context } = await survivor.runner.handle(id).result();
    expect([status, context]).toEqual(['Completed', { by: 'the survivor', after: true }]);
    const before = await scene.rows();
    scene.free.open();
    await scene.settled();
    expect(await scene.rows()).toEqual(before);
    expect(await illegalHistories(survivor.query)).toEqual([]);
    zombie.engine.resumeClaiming();
    await scene.goesOn();
  });
});

describe('A process that comes back to the second write of a final context', () => {
  const play = async (withoutFence: boolean) => {
    const scene = await Scene.open();
    const { zombie, survivor, process } = scene;
    const together = gate();
    scene.handlers.zombie = async ({ taskName }) => {
      // Both leaves in one batch, so that neither knows of the other.
      await together.passed;
      if (taskName === 'b') throw new Error('on purpose');
      return { a: 1 };
    };
    scene.handlers.survivor = () => ({ b: 2 });
    const fence = 'x.context IS NULL AND x.generation = $3::integer';
    if (withoutFence) process.rewrite(fence, '$3::integer IS NOT NULL');
    const stopped = process.stopBefore('x.context IS NULL AND x.generation');
    const { id } = await zombie.runner.start('leaves');
    await waitFor(() => scene.begins('zombie') === 2);
    together.open();
    await stopped;
    await survivor.runner.retry(id);
    await waitFor(async () => (await scene.executions(`status = 'Completed'`)) === 1);
    process.goOn();
    await scene.settled();
    return survivor.runner.get(id);
  };

  it('finds that the execution was retried and ended otherwise, and leaves it', async () => {
    expect(await play(false)).toMatchObject({ status: 'Completed', context: { a: 1, b: 2 } });
  });

  it('overwrites it, where the fence is taken out; so the test can fail', async () => {
    expect((await play(true))?.context).toEqual({ a: 1 });
  });
});
