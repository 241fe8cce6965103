import { afterEach, describe, expect, it } from '@jest/globals';
import { databaseUrl, freshSchema } from '../support/postgres.js';
import { waitFor } from '../support/wait-for.js';
import { seedOfRun } from './workload/random.js';
import { Workload } from './workload/workload.js';

const seed = seedOfRun();
const LEASE_MS = 1_500;
let workload: Workload | undefined;
afterEach(() => workload?.remove());

/** A process stops for longer than its lease while handlers run, and goes on when others have done its work. */
async function withZombie(withoutFence: boolean): Promise<string[]> {
  workload = new Workload({
    url: databaseUrl(),
    schema: freshSchema(),
    seed,
    leaseDurationMs: LEASE_MS,
    handlerMs: 300,
    maxConcurrentTasks: 50,
    withoutFence,
  });
  const { entries, query } = {
    entries: () => workload!.entries(),
    query: workload.query.bind(workload),
  };
  const zombie = await workload.worker();
  await workload.worker();
  workload.start(zombie, 3);
  const ofZombie = (): number =>
    entries().filter(({ by, what }) => by === 'worker 1' && what === 'begun').length;
  await waitFor(() => ofZombie() > 4);
  zombie.signal('SIGSTOP');
  await waitFor(async () => (await query('SELECT FROM cloacina_recovery_event')).length > 0, {
    deadline: 15_000,
    what: 'the recovery',
  });
  // What it held has ended elsewhere by the time that it comes back.
  await waitFor(
    async () =>
      (await query(`SELECT FROM cloacina_task_execution WHERE status IN ('Ready', 'Running')`))
        .length === 0,
    { deadline: 20_000, what: 'the end of all tasks' },
  );
  zombie.signal('SIGCONT');
  await waitFor(() => {
    const own = entries().filter(({ by }) => by === 'worker 1');
    const begun = own.filter(({ what }) => what === 'begun').map(({ run }) => run);
    const ended = new Set(own.filter(({ what }) => what === 'ended').map(({ run }) => run));
    return begun.some((run) => ended.has(run)) && zombie.running;
  });
  await workload.settle(20_000).catch(() => 0);
  return workload.violations();
}

describe('A process that comes back from the dead', () => {
  it('changes nothing of what was recorded meanwhile', async () => {
    expect(await withZombie(false)).toEqual([]);
  });

  it('does, where the fence is taken out; so the check can fail', async () => {
    expect(await withZombie(true)).not.toEqual([]);
  });
});
