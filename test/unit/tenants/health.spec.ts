import { describe, expect, it } from '@jest/globals';
import { DatabaseProbe } from '../../../lib/tenants/health/database-probe.js';
import { verdictOf, type HealthFacts } from '../../../lib/tenants/health/verdict.js';
import { ManualClock } from '../../../lib/testing/manual-clock.js';
import { gate } from '../../support/gate.js';

const UP = { database: 'db:5432/a', isUp: true, controlConnection: 'open', tenants: 1 } as const;
const AWAY = { ...UP, isUp: false, error: 'refused', controlConnection: 'lost' } as const;
const FACTS: HealthFacts = {
  isClaiming: true,
  isStopping: false,
  runsTasks: true,
  needsRestart: false,
  total: 2,
  paused: 0,
  databases: [UP],
  troubles: [],
};
const trouble = (tenant: string) =>
  ({ tenant, trouble: 'schema', detail: `Tenant ${tenant} is broken.` }) as const;

describe('The verdict', () => {
  it.each<[string, Partial<HealthFacts>, string]>([
    ['up', {}, 'up live ready'],
    ['degraded by a tenant in trouble', { troubles: [trouble('a')] }, 'degraded live ready'],
    [
      'degraded while one of two databases is away',
      { databases: [UP, AWAY] },
      'degraded live ready',
    ],
    ['down while all databases are away', { databases: [AWAY] }, 'down live'],
    [
      'down while nothing is claimed',
      { databases: [{ ...UP, controlConnection: 'lost' }] },
      'down live ready',
    ],
    [
      'degraded without a control connection in a process that runs no tasks',
      { databases: [{ ...UP, controlConnection: 'lost' }], runsTasks: false },
      'degraded live ready',
    ],
    [
      'up without a control connection by choice',
      { databases: [{ ...UP, controlConnection: 'none' }] },
      'up live ready',
    ],
    ['degraded while all tenants are paused', { paused: 2 }, 'degraded live ready'],
    ['up while some tenants are paused', { paused: 1 }, 'up live ready'],
    ['down before the bootstrap', { isClaiming: false }, 'down live'],
    ['down during the shutdown', { isStopping: true }, 'down live'],
    ['not live if only a restart helps', { needsRestart: true }, 'degraded ready'],
    ['up without tenants', { databases: [], total: 0, runsTasks: false }, 'up live ready'],
  ])('is %s', (_, change, expected) => {
    const { status, isLive, isReady, reasons } = verdictOf({ ...FACTS, ...change });
    const said = [status, isLive ? 'live' : '', isReady ? 'ready' : ''].filter(Boolean).join(' ');
    expect(said).toBe(expected);
    expect(reasons.length > 0).toBe(status !== 'up');
  });

  it('names three troubles of tenants, and counts the others', () => {
    const troubles = ['a', 'b', 'c', 'd', 'e'].map(trouble);
    const { reasons } = verdictOf({ ...FACTS, troubles });
    expect(reasons.slice(2)).toEqual(['Tenant c is broken.', '2 more problems of tenants.']);
  });
});

describe('The probe of a database', () => {
  it('sends one statement for all callers, and counts its answer for a second', async () => {
    const clock = new ManualClock();
    let sent = 0;
    const probe = new DatabaseProbe(clock, async () => void sent++);
    await Promise.all([probe.check(1_000), probe.check(1_000)]);
    await clock.advance(999);
    expect(await probe.check(1_000)).toEqual({ latencyMs: 0 });
    expect(sent).toBe(1);
    await clock.advance(1);
    await probe.check(1_000);
    expect(sent).toBe(2);
  });

  it('waits no longer than the caller says, and sends no second statement behind a silent one', async () => {
    const clock = new ManualClock();
    const silence = gate();
    let sent = 0;
    const probe = new DatabaseProbe(clock, () => {
      sent++;
      return silence.passed;
    });
    const [short, long] = [probe.check(100), probe.check(2_000)];
    await clock.advance(100);
    expect(await short).toEqual({ error: 'It has not answered within 100 ms.' });
    const later = probe.check(100);
    await clock.advance(100);
    expect(await later).toMatchObject({ error: expect.any(String) });
    silence.open();
    expect(await long).toEqual({ latencyMs: 200 });
    expect(sent).toBe(1);
    expect(clock.waiting).toBe(0);
  });

  it('tells why there is no answer, without secrets', async () => {
    const probe = new DatabaseProbe(new ManualClock(), () =>
      Promise.reject(new Error('no route to postgres://me:secret@db/a')),
    );
    const { error } = await probe.check(1_000);
    expect(error).toMatch(/^no route to/);
    expect(error).not.toContain('secret');
  });
});
