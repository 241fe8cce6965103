import { afterEach, describe, expect, it } from '@jest/globals';
import { databaseUrl, freshSchema } from '../support/postgres.js';
import { waitFor } from '../support/wait-for.js';
import type { PlannedTask } from './workload/plan.js';
import { seedOfRun } from './workload/random.js';
import { Workload } from './workload/workload.js';

const seed = seedOfRun();
const LEASE_MS = 1_500;
let workload: Workload | undefined;
afterEach(() => workload?.remove());

/** Each handler comes to its end, in one run or another: what comes of it is what the fence is for. */
const PLANS = (['plain', 'transactional'] as const).map((kind, no) => ({
  name: `flow${no}`,
  tasks: [
    { name: 't0', dependsOn: [], kind },
    { name: 't1', dependsOn: ['t0'], kind: 'plain' },
  ] satisfies PlannedTask[],
}));
const EXECUTIONS = 3;

/** A process stops for longer than its lease while handlers run, and goes on when others have done its work. */
async function withZombie(withoutFence: boolean): Promise<string[]> {
  const run = (workload = new Workload({
    url: databaseUrl(),
    schema: freshSchema(),
    seed,
    leaseDurationMs: LEASE_MS,
    withoutFence,
    poolSize: 12,
    plans: PLANS,
  }));
  // Far longer than it takes to see that they run.
  const zombie = await run.worker({ handlerMs: 4_000 });
  await run.started(zombie, EXECUTIONS);
  await run.begun(EXECUTIONS * PLANS.length);
  zombie.signal('SIGSTOP');
  const survivor = await run.worker();
  await waitFor(
    async () =>
      (await run.query('SELECT FROM cloacina_recovery_event')).length >= EXECUTIONS * PLANS.length,
    { deadline: 60_000, what: 'the recovery' },
  );
  // What it held has ended elsewhere by the time that it comes back.
  expect(await run.settle(60_000)).toBe(EXECUTIONS * PLANS.length);
  const interrupted = run
    .entries()
    .filter(({ by, what }) => by === 'worker 1' && what === 'begun')
    .map((entry) => entry.run);
  expect(run.entries().filter(({ by, what }) => by === 'worker 1' && what === 'ended')).toEqual([]);
  zombie.signal('SIGCONT');
  await waitFor(
    () => {
      // The stop may have come before the statement of a transactional handler, which throws then.
      const ended = run.entries().filter(({ what }) => what === 'ended' || what === 'threw');
      return interrupted.every((id) => ended.some((entry) => entry.run === id));
    },
    { deadline: 60_000, what: 'the end of the handlers that were interrupted' },
  );
  // It goes on with new work, under a new identity.
  run.order(survivor, { kind: 'close' });
  await survivor.exit;
  await run.started(zombie, 1);
  await run.settle(60_000);
  return run.violations();
}

describe('A process that comes back from the dead', () => {
  it('changes nothing of what was recorded meanwhile, and goes on with new work', async () => {
    expect(await withZombie(false)).toEqual([]);
  }, 240_000);

  it('does, where the fence is taken out; so the check can fail', async () => {
    expect(await withZombie(true)).not.toEqual([]);
  }, 240_000);
});
