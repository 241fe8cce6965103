import { describe, expect, it } from '@jest/globals';
import { freshSchema } from '../../support/postgres.js';
import { openTenant, stopRounds } from '../../support/open-tenant.js';
import { sized } from '../../support/sizes.js';
import { waitFor } from '../../support/wait-for.js';
import type { HoldingInput } from './holding.js';
import { Stranger } from './stranger.js';
import { ONCE, Workers, waits, type Worker } from './workers.js';

/** Long enough that no lease is over while a test runs: only a missing lock shows a loss. */
const LEASE_MS = 3_600_000;
const IDLE = { maxConcurrentTasks: 0 };

/**
 * A survivor without rounds, so that only its turns of the watch, or what the others tell it, let it find a loss. `idle`
 * processes run no tasks. The others run one each, so the survivor takes the tasks of the dead: a task that is lost again
 * and again would be a suspect, which waits for other suspects.
 */
async function scene(idle: number, holders: number) {
  const workers = new Workers([freshSchema()], { leaseDurationMs: LEASE_MS });
  const [survivor] = await workers.here();
  stopRounds(survivor!);
  const watching: Worker[] = [];
  for (let i = 0; i < idle; i++) watching.push(await workers.child(IDLE));
  const holding: Worker[] = [];
  for (let i = 0; i < holders; i++) {
    holding.push(await workers.child({ maxConcurrentTasks: 1 }));
  }
  return { workers, survivor: survivor!, watching, holding };
}

/** Starts tasks until each of the processes holds one, and returns how many have begun. */
async function holdIn(
  workers: Workers,
  holding: readonly Worker[],
  inputs: readonly HoldingInput[] = waits(1),
): Promise<number> {
  let begun = workers.entries('begun').length;
  for (const one of holding) {
    while (heldBy(workers, [one]) === 0) {
      await one.start(inputs);
      await workers.begun(++begun);
    }
  }
  return begun;
}

function heldBy(workers: Workers, processes: readonly Worker[]): number {
  const names = new Set(processes.map(({ name }) => name));
  const begun = workers.entries('begun');
  return begun.filter((entry) => names.has(entry.by ?? '') && entry.recoveryAttempt === 0).length;
}

describe('A loss', () => {
  it('is noticed whichever of the processes dies, one after the other, down to the last', async () => {
    const { workers, survivor, holding } = await scene(0, sized(4, 2));
    for (const victim of holding) {
      // Tasks that were lost twice would run one at a time in a process.
      const begun = await holdIn(workers, [victim], ONCE);
      const held = heldBy(workers, [victim]);
      await victim.process.kill();
      await workers.begun(begun + held);
    }
    const { items } = await survivor.recovery.events({ limit: 100 });
    expect(new Set(items.map(({ cause }) => cause))).toEqual(new Set(['lockGone']));
    workers.release();
  });

  it('of all processes but one at the same moment is noticed by the one that is left', async () => {
    const { workers, watching, holding } = await scene(sized(3, 2), sized(3, 2));
    const begun = await holdIn(workers, holding);
    const held = heldBy(workers, holding);
    await Promise.all([...watching, ...holding].map((one) => one.process.kill()));
    await workers.begun(begun + held);
    workers.release();
  });

  it('is noticed while other processes are frozen, whose turns nobody takes', async () => {
    const { workers, watching, holding } = await scene(sized(4, 2), 1);
    const begun = await holdIn(workers, holding);
    const held = heldBy(workers, holding);
    for (const frozen of watching) frozen.process.signal('SIGSTOP');
    await holding[0]!.process.kill();
    await workers.begun(begun + held);
    for (const frozen of watching) frozen.process.signal('SIGCONT');
    workers.release();
  });

  it('of a process that dies with the first task that it begins is noticed as fast', async () => {
    const { workers } = await scene(2, 0);
    const victim = await workers.child();
    // It may be dead before it can say that it has started the task.
    victim.order({ start: [{ name: 'deadly', do: 'die' }], schema: workers.schema });
    await workers.begun(1);
    await victim.process.exit;
    // In the survivor, `die` does nothing, so the task stays there.
    await workers.begun(2);
    expect(workers.entries('begun').at(-1)?.by).not.toBe(workers.entries('begun')[0]?.by);
  });

  it('is told to processes of other logins, whose leases no other login can read', async () => {
    const schema = freshSchema();
    const workers = new Workers([schema], { leaseDurationMs: LEASE_MS });
    const [first] = await workers.here(IDLE);
    const other = await Stranger.create(
      (role) => `GRANT USAGE ON SCHEMA ${schema} TO ${role};
        GRANT ALL ON ALL TABLES IN SCHEMA ${schema} TO ${role};
        GRANT ALL ON ALL SEQUENCES IN SCHEMA ${schema} TO ${role}`,
    );
    const judge = await openTenant([], {
      schema,
      databaseUrl: other.databaseUrl,
      leaseDurationMs: LEASE_MS,
      ...IDLE,
    });
    // Only the judge, of another login than the process that dies, is there to notice.
    const victim = await workers.child();
    await first!.close();
    await victim.start(waits(1));
    await workers.begun(1);
    await victim.process.kill();
    const { items } = await waitFor(async () => {
      const events = await judge.recovery.events();
      return events.items.length === 1 ? events : undefined;
    });
    expect(items).toEqual([expect.objectContaining({ cause: 'lockGone' })]);
  });
});
