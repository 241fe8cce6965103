import { afterEach, describe, expect, it } from '@jest/globals';
import { WATCH_MS } from '../../../lib/engine/lease/lease-notices.js';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import { SYSTEM_CLOCKS } from '../../../lib/store/postgres/clocks.js';
import { RunningClock } from '../../../lib/testing/running-clock.js';
import { gate, type Gate } from '../../support/gate.js';
import { openTenant, processEngineOf, type OpenTenant } from '../../support/open-tenant.js';
import { freshSchema } from '../../support/postgres.js';
import { SentStatements } from '../../support/sent-statements.js';
import { waitFor } from '../../support/wait-for.js';

/** The duration of a round, which is a third of a lease. */
const ROUND_MS = 10_000;
/** Of the fleet that is idle. */
const PROCESSES = 5;
/** Turns of looks in a second. */
const LOOKS_A_SECOND = 5;

let free: Gate;
let begun = 0;
const held = defineWorkflow('held')
  .task('only', async () => {
    begun++;
    await free.passed;
  })
  .build();

/** Processes on one tenant, whose clocks a test moves on together. */
class Fleet {
  readonly sent = new SentStatements();
  private constructor(
    private readonly clock: RunningClock,
    readonly processes: readonly OpenTenant[],
  ) {}

  static async open(count: number): Promise<Fleet> {
    const clock = new RunningClock();
    const schema = freshSchema();
    const processes: OpenTenant[] = [];
    for (let i = 0; i < count; i++) {
      const clocks = { ...SYSTEM_CLOCKS, process: clock };
      processes.push(await openTenant([held], { schema, clocks, poolSize: 3 }));
    }
    return new Fleet(clock, processes);
  }

  get now(): number {
    return this.clock.now();
  }

  get watching(): number {
    return this.processes.filter((one) => processEngineOf(one).isWatching).length;
  }

  /** Moves on in steps, after each of which the processes hear what the others have told. */
  async pass(ms: number, stepMs = 100): Promise<void> {
    for (let passed = 0; passed < ms; passed += stepMs) {
      this.clock.advance(stepMs);
      await this.heard();
    }
  }

  /** Waits until each process has done what it was told before. */
  async heard(): Promise<void> {
    for (let i = 0; i < 3; i++) {
      await Promise.all(
        this.processes.map(async (one) => processEngineOf(one).session?.encoding()),
      );
    }
  }

  /** No process has just booted, and none has a lease. */
  async settle(): Promise<void> {
    await waitFor(async () => {
      await this.pass(1_000, 500);
      return this.processes.every(({ engine }) => !engine.lease.mayStand);
    });
    await this.pass(WATCH_MS + ROUND_MS, 500);
    expect(this.watching).toBe(0);
    await this.heard();
    this.sent.forget();
  }
}

afterEach(() => free.open());

describe('Processes without work', () => {
  it('hardly read locks, and share what they read of their tenants', async () => {
    free = gate();
    const fleet = await Fleet.open(PROCESSES);
    await fleet.settle();
    const rounds = 4;
    const from = fleet.now;
    // In steps that are shorter than what a process waits for another one's word.
    await fleet.pass(rounds * ROUND_MS, 100);
    // How far they share is told by shared-rounds.spec.ts: here it depends on how soon they hear each other. A process that
    // has made a round looks once a minute whether there are others to tell.
    const minutes = (fleet.now - from) / 60_000;
    expect(fleet.sent.with('pg_locks').length).toBeLessThanOrEqual(PROCESSES * (minutes + 1));
    const sweeps = fleet.sent.with('to_regnamespace');
    expect(sweeps.length).toBeGreaterThanOrEqual(rounds - 1);
    // Less than half of what processes would read that hear nothing of each other.
    expect(sweeps.length).toBeLessThan(((fleet.now - from) / ROUND_MS) * PROCESSES * 0.5);
  });

  it('read for themselves what has changed, in the same round', async () => {
    free = gate();
    const fleet = await Fleet.open(4);
    await fleet.settle();
    const [one] = fleet.processes as [OpenTenant];
    const { id } = await one.runner.start(held, {}, { delay: '10h' });
    // Brought forward without a word: each process must learn of it by its own sweep, as its due time is no longer that
    // which it knows.
    await one.query("UPDATE cloacina_task_execution SET run_at = now() + interval '9 h'");
    await fleet.pass(ROUND_MS, 100);
    await fleet.heard();
    const sweeps = fleet.sent.with('to_regnamespace');
    expect(new Set(sweeps.map(({ by }) => by)).size).toBe(4);
    await one.runner.cancel(id);
  });
});

describe('Processes with work', () => {
  it('look at the locks five times a second in all, however many they are', async () => {
    for (const count of [2, 4]) {
      free = gate();
      const fleet = await Fleet.open(count);
      await fleet.settle();
      const before = begun;
      await fleet.processes[0]!.runner.start(held);
      await waitFor(() => begun > before);
      await waitFor(() => fleet.watching === count);
      await fleet.heard();
      fleet.sent.forget();
      const from = performance.now();
      const { sent } = fleet;
      // Until each of them has taken its turn several times. A slow machine only makes them look less often.
      await waitFor(() => {
        const looks = sent.with('pg_locks');
        const own = (one: OpenTenant) => looks.filter(({ by }) => by === processEngineOf(one).processId); // prettier-ignore
        return fleet.processes.every((one) => own(one).length >= 3);
      });
      const seconds = (performance.now() - from) / 1_000;
      // With those that a sweep makes beside them.
      const looks = sent.with('pg_locks').length;
      expect(looks).toBeLessThanOrEqual((seconds + 1) * LOOKS_A_SECOND * 1.1);
      free.open();
      await Promise.all(fleet.processes.map((one) => one.close()));
    }
  });

  it('tell each other of their leases again and again, and stop looking after the last one', async () => {
    free = gate();
    const fleet = await Fleet.open(3);
    await fleet.settle();
    const before = begun;
    const [one] = fleet.processes as [OpenTenant];
    await one.runner.start(held);
    await waitFor(() => begun > before);
    await waitFor(() => fleet.watching === 3);
    for (let i = 0; i < 8; i++) {
      await fleet.pass(5_000, 500);
      expect(fleet.watching).toBe(3);
    }
    free.open();
    await waitFor(async () => {
      await fleet.pass(1_000, 500);
      return !one.engine.lease.mayStand;
    });
    await fleet.pass(WATCH_MS, 500);
    expect(fleet.watching).toBe(0);
    fleet.sent.forget();
    await fleet.pass(5_000, 500);
    expect(fleet.sent.with('pg_locks')).toEqual([]);
  });
});
