import { beforeEach, describe, expect, it } from '@jest/globals';
import { MaintenanceSweep } from '../../../lib/maintenance/sweep.js';
import { RecoveryWatch } from '../../../lib/recovery/recovery-watch.js';
import { ManualClock } from '../../../lib/testing/manual-clock.js';
import {
  MemoryDatabase,
  MemorySession,
  MemoryStore,
} from '../../../lib/testing/memory-store/index.js';
import { newClaimant, noLease, parallel, startOf } from '../../conformance/workflows.js';

const LEASE_MS = 30_000;
const ROUND_MS = LEASE_MS / 3;
const LOGIN_OF_OTHERS = 4_711;

let clock: ManualClock;
let database: MemoryDatabase;
let store: MemoryStore;
let processes: Process[];
let isWatching: boolean;
/** The oid of the tenant's schema. */
let schemaId: string;

/** A process with one tenant. The others hear it as soon as the time goes on. */
class Process {
  readonly sweeps: number[] = [];
  readonly looks: number[] = [];
  readonly watch: RecoveryWatch;
  isDead = false;
  private readonly sweep: MaintenanceSweep;
  private readonly session = new MemorySession(database);

  losses = 0;
  /** How often it was told that the schema is another one. */
  replaced = 0;
  /** How often it was told that the database may have lost a write. */
  doubts = 0;

  constructor() {
    this.sweep = new MaintenanceSweep({
      clock,
      leaseDurationMs: LEASE_MS,
      isConnected: () => !this.isDead,
    });
    const { session } = this;
    const { sweep, livingLocks } = session;
    session.sweep = async (...args) => {
      this.sweeps.push(clock.now());
      const found = await sweep.apply(session, args);
      const tenants = found.tenants.map(
        (tenant) =>
          tenant && {
            ...tenant,
            schemaId,
            fingerprint: tenant.fingerprint && `${schemaId} ${tenant.fingerprint}`,
          },
      );
      return { ...found, tenants };
    };
    session.livingLocks = () => {
      this.looks.push(clock.now());
      return livingLocks.apply(session);
    };
    this.watch = new RecoveryWatch({
      clock,
      processId: session.lockSession,
      leaseDurationMs: LEASE_MS,
      session: () => session,
      sweep: this.sweep,
      isWatching: () => isWatching,
      notifyProcesses: () => this.tell((one) => void one.watch.processesChanged()),
      notifySwept: (digest) => this.tell((one) => one.watch.sweptByOther(digest, this.backend)),
    });
    this.watch.add({
      tenant: 't',
      store,
      enableRecovery: true,
      maxRecoveryAttempts: 3,
      ownInstanceId: () => session.lockSession,
      takeOrphans: async () => [],
      doubt: () => this.doubts++,
      mayHoldLease: () => false,
      schemaReplaced: () => this.replaced++,
      processLost: () => this.losses++,
      wakeWorkers: () => undefined,
      scheduleWakeUps: () => undefined,
    });
  }

  /** The id of the process, and of its instance. */
  get instance(): string {
    return this.session.lockSession;
  }

  get backend(): number {
    return Number(this.session.lockSession.split(':')[1]);
  }

  async start(): Promise<void> {
    this.sweep.start();
    for (const one of processes) await one.watch.processesChanged();
  }

  /** Makes no rounds any more, but lives. */
  fallSilent(): void {
    this.sweep.stop();
  }

  /** Without a word. */
  async die(): Promise<void> {
    this.isDead = true;
    this.sweep.stop();
    await this.session.close();
  }

  private tell(how: (one: Process) => void): void {
    for (const one of processes) if (!one.isDead) how(one);
  }
}

const alive = () => processes.filter(({ isDead }) => !isDead);
const sweeps = () => processes.flatMap((one) => one.sweeps).sort((a, b) => a - b);
const looks = () => processes.flatMap((one) => one.looks);
function forget(): void {
  for (const one of processes) [one.sweeps.length, one.looks.length] = [0, 0];
}

/** In steps, so that the processes' timers fire in between. */
async function pass(ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 50) await clock.advance(50);
}

beforeEach(async () => {
  clock = new ManualClock();
  database = new MemoryDatabase(clock);
  store = new MemoryStore(database);
  isWatching = false;
  schemaId = '1';
  processes = [];
  for (let i = 0; i < 16; i++) {
    processes.push(new Process());
    await processes.at(-1)!.start();
    await pass(110);
  }
  await pass(3 * ROUND_MS);
  forget();
});

describe('A lost process', () => {
  it('is told to the waiting callers of all others within a second while processes watch each other', async () => {
    isWatching = true;
    for (const one of processes) one.watch.watchBegins();
    await pass(1_000);
    expect(processes.map(({ losses }) => losses)).toEqual(processes.map(() => 0));
    const [dead, ...others] = processes as [Process, ...Process[]];
    await dead.die();
    await pass(1_000);
    for (const { losses } of others) expect(losses).toBeGreaterThanOrEqual(1);
    await pass(ROUND_MS);
    for (const { losses } of others) expect(losses).toBeLessThanOrEqual(2);
  });
});

it('A schema that was dropped and made again is told to each process once', async () => {
  expect(processes.map(({ replaced }) => replaced)).toEqual(processes.map(() => 0));
  schemaId = '2';
  await pass(4 * ROUND_MS);
  expect(processes.map(({ replaced }) => replaced)).toEqual(processes.map(() => 1));
});

it.each([
  ['a claim of its own that has no lease', false],
  ['a lease of its own that it has forgotten', true],
])('%s lets a process doubt what it remembers, and no other process', async (_, write) => {
  const [own] = processes as [Process, ...Process[]];
  const claimant = { ...newClaimant(), processId: own.instance, instanceId: own.instance };
  await store.start([startOf(parallel(1))], { claimant, write }, false);
  await pass(ROUND_MS);
  expect(own.doubts).toBeGreaterThan(0);
  expect(processes.filter(({ doubts }) => doubts > 0)).toHaveLength(1);
});

describe('The rounds of idle processes', () => {
  it('are made by one of them, and by each of the others now and then', async () => {
    const rounds = 18;
    await pass(rounds * ROUND_MS);
    const counts = processes.map((one) => one.sweeps.length).sort((a, b) => a - b);
    expect(counts.at(-1)).toBeGreaterThanOrEqual(rounds);
    for (const count of counts.slice(0, -1)) {
      expect(count).toBeGreaterThanOrEqual(1);
      expect(count).toBeLessThanOrEqual(3);
    }
  });

  it('read no locks, but that one process looks once a minute whether there are others', async () => {
    await pass(6 * 60_000);
    expect(looks().length).toBeLessThanOrEqual(7);
  });

  it('go on within a round when the process dies that makes them', async () => {
    for (let deaths = 0; deaths < 6; deaths++) {
      await pass(2 * ROUND_MS);
      const busiest = alive().reduce((a, b) => (a.sweeps.length > b.sweeps.length ? a : b));
      await busiest.die();
    }
    await pass(2 * ROUND_MS);
    const times = sweeps();
    for (let i = 1; i < times.length; i++) {
      expect(times[i]! - times[i - 1]!).toBeLessThanOrEqual(ROUND_MS);
    }
  });

  it('are made by each process for itself when something has changed', async () => {
    const later = startOf(parallel(1), { claims: 0, delayMs: 3_600_000 });
    await store.start([later], noLease(), false);
    await pass(ROUND_MS);
    expect(processes.filter((one) => one.sweeps.length > 0)).toHaveLength(16);
    // Now all of them know it.
    forget();
    await pass(ROUND_MS);
    expect(processes.filter((one) => one.sweeps.length > 0).length).toBeLessThanOrEqual(4);
  });

  it.each([
    ['work is due', () => store.start([startOf(parallel(1), { claims: 0 })], noLease(), false)],
    ['a claim has no lease', () => store.start([startOf(parallel(1))], noLease(), false)],
  ])('are made by each process for itself in each round while %s', async (_, change) => {
    await change();
    await pass(ROUND_MS);
    expect(processes.filter((one) => one.sweeps.length > 0)).toHaveLength(16);
  });

  it('are not put off by the word of a session with another login, which may repeat what it hears', async () => {
    const [one, ...others] = processes as [Process, ...Process[]];
    for (const other of others) await other.die();
    await pass(ROUND_MS);
    let digest = '';
    const { sweptByOther } = one.watch;
    // What it tells the others: as if one of them heard it.
    const listener = new Process();
    listener.watch.sweptByOther = (heard) => (digest = heard);
    processes.push(listener);
    await listener.start();
    await pass(2 * ROUND_MS);
    listener.fallSilent();
    expect(digest).toMatch(/^[0-9a-f]{32}$/);
    const sweptBy = async (sender: number): Promise<number> => {
      forget();
      for (let i = 0; i < 8; i++) {
        sweptByOther.call(one.watch, digest, sender);
        await pass(ROUND_MS / 2);
      }
      return one.sweeps.length;
    };
    expect(await sweptBy(LOGIN_OF_OTHERS)).toBeGreaterThanOrEqual(3);
    expect(await sweptBy(listener.backend)).toBeLessThanOrEqual(1);
  });
});

describe('The looks of processes that watch each other', () => {
  beforeEach(() => {
    isWatching = true;
    for (const one of processes) one.watch.watchBegins();
  });

  it('are five a second in all', async () => {
    await pass(60_000);
    expect(looks().length).toBeGreaterThanOrEqual(60 * 5 - 16);
    expect(looks().length).toBeLessThanOrEqual(60 * 5 * 1.1);
  });

  it('find a loss within 400 ms, whichever process it is, and all hear of it', async () => {
    while (alive().length > 2) {
      await pass(3_330);
      forget();
      const diedAt = clock.now();
      await alive()[Math.floor(alive().length / 2)]!.die();
      await pass(600);
      const first = Math.min(...looks());
      expect(first - diedAt).toBeLessThanOrEqual(400);
      expect(alive().filter((one) => one.looks.length > 0)).toHaveLength(alive().length);
    }
  });
});
