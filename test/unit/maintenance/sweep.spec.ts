import { beforeEach, describe, expect, it } from '@jest/globals';
import { MaintenanceSweep, type MaintenancePass } from '../../../lib/maintenance/sweep.js';
import { ManualClock } from '../../../lib/testing/manual-clock.js';
import { gate } from '../../support/gate.js';

/** Its rounds take three seconds at most. */
const LEASE_MS = 9_000;
const ROUND_MS = LEASE_MS / 3;

/** A pass that notes what it is asked for. */
class NotingPass implements MaintenancePass {
  nextLookAt: number | undefined;
  lookEveryMs = Infinity;
  readonly parts: (readonly string[])[] = [];
  looks = 0;

  constructor(private readonly error?: Error) {}

  async over(tenants: readonly string[]): Promise<void> {
    this.parts.push(tenants);
    if (this.error !== undefined) throw this.error;
  }

  async look(): Promise<void> {
    this.looks++;
    if (this.nextLookAt !== undefined) this.nextLookAt += this.lookEveryMs;
  }
}

describe('The sweep', () => {
  let clock: ManualClock;
  let tries: number;
  let isConnected: boolean;
  let sweep: MaintenanceSweep;
  beforeEach(() => {
    clock = new ManualClock();
    isConnected = true;
    tries = 0;
    sweep = new MaintenanceSweep({
      leaseDurationMs: LEASE_MS,
      isConnected: () => {
        tries++;
        return isConnected;
      },
      clock,
    });
  });

  function add(count: number): string[] {
    const names = Array.from({ length: count }, (_, i) => `t${i}`);
    for (const name of names) sweep.add(name);
    return names;
  }

  it('tells of a pass that goes on failing, and of no other', async () => {
    const told: [number, unknown][] = [];
    const error = new Error('refused');
    const telling = new MaintenanceSweep({
      leaseDurationMs: LEASE_MS,
      isConnected: () => true,
      clock,
      failing: (seconds, reason) => told.push([seconds, reason]),
    });
    telling.register(new NotingPass(error));
    telling.register(new NotingPass());
    telling.add('t');
    telling.start();
    await clock.advance(4_000);
    expect(told).toEqual([]);
    for (let seconds = 0; seconds < 20; seconds++) await clock.advance(1_000);
    expect(told).toEqual([[expect.any(Number), error]]);
    telling.stop();
  });

  it('tells of no pass that has failed because the connection was lost', async () => {
    const told: unknown[] = [];
    let connected = true;
    const telling = new MaintenanceSweep({
      leaseDurationMs: LEASE_MS,
      isConnected: () => connected,
      clock,
      failing: (_, reason) => told.push(reason),
    });
    let failures = 0;
    telling.register({
      over: () => {
        connected = false;
        failures++;
        return Promise.reject(new Error('connection lost'));
      },
      nextLookAt: undefined,
      look: () => Promise.resolve(),
    });
    telling.add('t');
    telling.start();
    for (let seconds = 0; seconds < 40; seconds++) {
      await clock.advance(1_000);
      connected = true;
    }
    expect([failures > 1, told]).toEqual([true, []]);
    telling.stop();
  });

  it('has every pass look after every tenant once in a round, in parts', async () => {
    const passes = [new NotingPass(), new NotingPass()];
    for (const pass of passes) sweep.register(pass);
    const names = add(120).sort();
    sweep.start();
    while (passes[1]!.parts.length < 3) await clock.advance(10);
    for (const pass of passes) {
      expect(pass.parts.map(({ length }) => length)).toEqual([40, 40, 40]);
      expect(pass.parts.flat()).toEqual(names);
      expect(pass.looks).toBe(0);
    }
  });

  it('is not held up by a pass that fails', async () => {
    const good = new NotingPass();
    sweep.register(new NotingPass(new Error('the schema is gone')));
    sweep.register(good);
    add(1);
    sweep.start();
    await clock.advance(3 * ROUND_MS);
    expect(good.parts.length).toBeGreaterThanOrEqual(2);
  });

  it('looks between parts while a pass asks for it', async () => {
    const pass = new NotingPass();
    sweep.register(pass);
    add(1);
    sweep.start();
    pass.lookEveryMs = 400;
    pass.nextLookAt = clock.now() + 400;
    sweep.plan();
    await clock.advance(1_250);
    expect(pass.looks).toBe(3);
    pass.nextLookAt = undefined;
    await clock.advance(2 * ROUND_MS);
    expect(pass.looks).toBe(3);
    expect(pass.parts.length).toBeGreaterThan(0);
  });

  it('leaves out who was removed since the round began', async () => {
    const pass = new NotingPass();
    sweep.register(pass);
    const names = add(60).sort();
    sweep.start();
    while (pass.parts.length < 1) await clock.advance(10);
    sweep.remove(names.at(-1)!);
    while (pass.parts.length < 2) await clock.advance(10);
    expect(pass.parts.flat()).toEqual(names.slice(0, -1));
  });

  it('works on one part at a time, however often it is planned anew', async () => {
    const { passed, open } = gate();
    const pass = new NotingPass();
    const { over } = pass;
    pass.over = async (tenants) => {
      await over.call(pass, tenants);
      await passed;
    };
    sweep.register(pass);
    add(1);
    sweep.start();
    await clock.advance(ROUND_MS);
    sweep.plan();
    expect([pass.parts.length, clock.waiting]).toEqual([1, 0]);
    open();
    await clock.advance(0);
    await clock.advance(ROUND_MS);
    expect(pass.parts.length).toBeGreaterThan(1);
  });

  it('ends with the part that it is stopped in', async () => {
    const { passed, open } = gate();
    const pass = new NotingPass();
    pass.over = () => passed;
    sweep.register(pass);
    add(1);
    sweep.start();
    await clock.advance(ROUND_MS);
    sweep.stop();
    open();
    await clock.advance(0);
    expect(clock.waiting).toBe(0);
  });

  it('puts a part off that another process has read, but not for ever', async () => {
    const pass = new NotingPass();
    sweep.register(pass);
    const names = add(2);
    sweep.start();
    for (let i = 0; i < 40; i++) {
      await clock.advance(ROUND_MS / 4);
      sweep.confirm(names);
    }
    // Ten rounds: it reads for itself once in about nine.
    expect(pass.parts.length).toBeGreaterThanOrEqual(1);
    expect(pass.parts.length).toBeLessThanOrEqual(3);
    const before = pass.parts.length;
    sweep.confirm(['another']);
    await clock.advance(ROUND_MS + 1);
    expect(pass.parts.length).toBeGreaterThan(before);
  });

  it('waits without a session, does not try again and again, and then goes on with the round', async () => {
    const pass = new NotingPass();
    sweep.register(pass);
    const names = add(2);
    isConnected = false;
    sweep.start();
    await clock.advance(2 * ROUND_MS);
    expect(tries).toBeLessThanOrEqual((4 * ROUND_MS) / 400 + 1);
    expect(pass.parts).toEqual([]);
    isConnected = true;
    await clock.advance(400);
    expect(pass.parts).toEqual([names]);
  });
});
