import { beforeEach, describe, expect, it } from '@jest/globals';
import { NotificationReactions } from '../../../lib/engine/process/notification-reactions.js';
import {
  decodeNotification,
  encodeNotification,
  Notifier,
  type Notification,
} from '../../../lib/engine/process/notifier.js';
import type { TenantEngine } from '../../../lib/engine/tenant-engine.js';
import { ManualClock } from '../../../lib/testing/manual-clock.js';

const TENANT = '0123456789abcdef';
/** The backend that sends. */
const SENDER = 4711;
const ID = '01890a5d-ac96-774b-bcce-b302099a8057';

let clock: ManualClock;
beforeEach(() => {
  clock = new ManualClock();
});

describe('A notification', () => {
  it.each<Notification>([
    { kind: 'processes' },
    { kind: 'leases' },
    { kind: 'swept', digest: '0123456789abcdef'.repeat(2) },
    { kind: 'tenants' },
    { kind: 'work', tenant: TENANT },
    { kind: 'cancelled', tenant: TENANT, executionId: ID },
    { kind: 'ended', tenant: TENANT, executionId: ID },
    { kind: 'paused', tenant: TENANT, executionId: ID },
  ])('is read as it was sent: %j', (notification) => {
    expect(decodeNotification(encodeNotification(notification))).toEqual(notification);
  });

  it.each(['', 'x', `x${TENANT}`, `c${TENANT}`, `w${TENANT}!`, `w${TENANT.slice(1)}`])(
    'of another form is ignored: %j',
    (payload) => {
      expect(decodeNotification(payload)).toBeUndefined();
    },
  );
});

describe('Notifier', () => {
  let sent: (readonly string[])[];
  let notifier: Notifier;
  beforeEach(() => {
    sent = [];
    notifier = new Notifier(async (payloads) => void sent.push(payloads), clock);
  });

  it('tells of work at once, and then once in 50 ms for each tenant', async () => {
    const work = { kind: 'work', tenant: TENANT } as const;
    for (let n = 0; n < 5; n++) notifier.notify(work);
    await clock.advance(0);
    expect(sent).toEqual([[`w${TENANT}`]]);
    await clock.advance(49);
    expect(sent).toHaveLength(1);
    await clock.advance(1);
    expect(sent).toHaveLength(2);
    await clock.advance(1_000);
    expect([sent.length, clock.waiting]).toEqual([2, 0]);
  });

  it('sends and keeps nothing more of a tenant that was removed', async () => {
    for (let n = 0; n < 2; n++) notifier.notify({ kind: 'work', tenant: TENANT });
    await clock.advance(0);
    notifier.forget(TENANT);
    expect(clock.waiting).toBe(0);
    await clock.advance(1_000);
    expect(sent).toHaveLength(1);
    expect((Reflect.get(notifier, 'lastWake') as Map<string, number>).size).toBe(0);
  });

  it('sends together what is told in one turn, each once', async () => {
    const ended = { kind: 'ended', tenant: TENANT, executionId: ID } as const;
    for (const notification of [ended, { ...ended, kind: 'cancelled' } as const, ended]) {
      notifier.notify(notification);
    }
    await clock.advance(0);
    expect(sent).toEqual([[`e${TENANT}${ID}`, `c${TENANT}${ID}`]]);
  });
});

describe('NotificationReactions', () => {
  let called: string[];
  let isActive: boolean;
  let isAwaited: boolean;
  let tenant: TenantEngine;
  let reactions: NotificationReactions;
  beforeEach(() => {
    called = [];
    [isActive, isAwaited] = [true, true];
    tenant = {
      claimAvailable: () => called.push('work'),
      reconcileClaims: () => called.push('cancelled'),
      control: { findPaused: () => called.push('paused') },
      claims: { isActive: () => isActive },
      waiters: { isAwaited: () => isAwaited, ended: (id: string) => called.push(`ended ${id}`) },
    } as unknown as TenantEngine;
    reactions = new NotificationReactions({
      clock,
      tenant: (address) => (address === TENANT ? tenant : undefined),
      onProcesses: () => called.push('processes'),
      onTenants: () => called.push('tenants'),
      onLeases: () => void called.push('leases'),
      onSwept: (digest, sender) => void called.push(`${digest} by ${sender}`),
    });
  });

  function hear(kind: 'cancelled' | 'ended' | 'paused'): void {
    reactions.hear(encodeNotification({ kind, tenant: TENANT, executionId: ID }), SENDER);
  }

  it('wakes those whose execution has ended or was cancelled, and no others', () => {
    for (const kind of ['paused', 'ended'] as const) hear(kind);
    expect(called).toEqual(['paused', `ended ${ID}`]);
    isAwaited = false;
    hear('ended');
    expect(called).toHaveLength(2);
  });

  it('compares the claims after a cancellation, and gives back after a pause', () => {
    isAwaited = false;
    for (const kind of ['cancelled', 'ended', 'paused'] as const) hear(kind);
    expect(called).toEqual(['cancelled', 'paused']);
  });

  it('does nothing about an execution that it has no part in', () => {
    [isActive, isAwaited] = [false, false];
    for (const kind of ['cancelled', 'ended', 'paused'] as const) hear(kind);
    expect(called).toEqual([]);
  });

  it('ignores tenants that this process does not serve, and what is no notification', () => {
    reactions.hear(`w${'f'.repeat(16)}`, SENDER);
    reactions.hear('w'.repeat(1_000), SENDER);
    expect(called).toEqual([]);
    reactions.hear(`w${TENANT}`, SENDER);
    reactions.hear('h', SENDER);
    reactions.hear('t', SENDER);
    expect(called).toEqual(['work', 'processes', 'tenants']);
  });

  it('passes on that there are leases, and who has swept what', () => {
    const digest = 'f'.repeat(32);
    reactions.hear('l', SENDER);
    reactions.hear(encodeNotification({ kind: 'swept', digest }), SENDER);
    reactions.hear(`s${digest}0`, SENDER);
    expect(called).toEqual(['leases', `${digest} by ${SENDER}`]);
  });

  it('slows down under a flood, and reacts once more after it', async () => {
    for (let n = 0; n < 1_000; n++) {
      reactions.hear(`w${TENANT}`, SENDER);
      await clock.advance(0);
    }
    expect(called).toHaveLength(20);
    await clock.advance(10_000);
    expect(called).toHaveLength(21);
  });

  it('does not react for a tenant that has gone', async () => {
    for (let n = 0; n < 30; n++) {
      reactions.hear(`w${TENANT}`, SENDER);
      await clock.advance(0);
    }
    reactions.forget(tenant);
    await clock.advance(1_000);
    expect([called.length, clock.waiting]).toEqual([20, 0]);
  });
});
