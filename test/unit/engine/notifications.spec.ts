import { beforeEach, describe, expect, it } from '@jest/globals';
import { NotificationReactions } from '../../../lib/engine/process/notification-reactions.js';
import {
  decodeNotification,
  encodeNotification,
  tagOf,
  type Notification,
} from '../../../lib/engine/process/notification.js';
import { Notifier } from '../../../lib/engine/process/notifier.js';
import type { TenantEngine } from '../../../lib/engine/tenant-engine.js';
import { ManualClock } from '../../../lib/testing/manual-clock.js';

const TENANT = '0123456789abcdef';
/** The backend that sends. */
const SENDER = 4711;
const ID = '01890a5d-ac96-774b-bcce-b302099a8057';
const [OWN, OTHER] = [tagOf('1:10'), tagOf('2:20')] as const;

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
    { kind: 'messages', tenant: TENANT },
    { kind: 'schedules', tenant: TENANT },
    { kind: 'children', tenant: TENANT },
    { kind: 'work', tenant: TENANT },
    { kind: 'work', tenant: TENANT, named: [OWN] },
    { kind: 'work', tenant: TENANT, named: [OWN, OTHER, OTHER, OWN] },
    { kind: 'work', tenant: TENANT, passedOnBy: OWN },
    { kind: 'moves', tenant: TENANT },
    { kind: 'cancelled', tenant: TENANT, executionId: ID },
    { kind: 'ended', tenant: TENANT, executionId: ID },
    { kind: 'paused', tenant: TENANT, executionId: ID },
  ])('is read as it was sent: %j', (notification) => {
    expect(decodeNotification(encodeNotification(notification))).toEqual(notification);
  });

  it.each([
    '',
    'x',
    `x${TENANT.slice(1)}`,
    `z${TENANT}`,
    `c${TENANT}`,
    `w${TENANT.slice(1)}`,
    `w${TENANT}!`,
    `w${TENANT}!${OWN}${OTHER}`,
    `w${TENANT}:`,
    `w${TENANT}:${OWN.slice(1)}`,
    `w${TENANT}:${OWN.repeat(5)}`,
    `w${TENANT}${ID}`,
  ])('of another form is ignored: %j', (payload) => {
    expect(decodeNotification(payload)).toBeUndefined();
  });
});

describe('Notifier', () => {
  let sent: (readonly string[])[];
  let notifier: Notifier;
  beforeEach(() => {
    sent = [];
    notifier = new Notifier(async (payloads) => void sent.push(payloads));
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
  let tag: string | undefined;
  let takesPart: boolean;
  let isWatched: boolean;
  let tenant: TenantEngine;
  let reactions: NotificationReactions;
  beforeEach(() => {
    called = [];
    [isActive, isAwaited, isWatched] = [true, true, false];
    [tag, takesPart] = [OWN, true];
    tenant = {
      settings: { address: TENANT },
      wakeUp: (isNamed: boolean) => {
        called.push(isNamed ? 'named' : 'work');
        return takesPart;
      },
      reconcileClaims: () => called.push('cancelled'),
      control: { findPaused: () => called.push('paused') },
      claims: { isActive: () => isActive },
      waiters: { isAwaited: () => isAwaited, ended: (id: string) => called.push(`ended ${id}`) },
      changes: {
        changedElsewhere: (id: string) => isWatched && called.push(`changed ${id}`),
        watchedElsewhere: (id: string) => called.push(`watched ${id}`),
      },
    } as unknown as TenantEngine;
    reactions = new NotificationReactions({
      clock,
      tenant: (address) => (address === TENANT ? tenant : undefined),
      onProcesses: () => called.push('processes'),
      onTenants: () => called.push('tenants'),
      onLeases: () => void called.push('leases'),
      onSwept: (digest, sender) => void called.push(`${digest} by ${sender}`),
      tag: () => tag,
      passOn: (address) => called.push(`pass on ${address}`),
      onPassedOn: (_, by) => called.push(`passed on by ${by}`),
    });
  });

  function hear(kind: 'cancelled' | 'changed' | 'ended' | 'paused' | 'watched'): void {
    reactions.hear(encodeNotification({ kind, tenant: TENANT, executionId: ID }), SENDER);
  }

  it('wakes those whose execution has ended or was cancelled, and no others', () => {
    for (const kind of ['paused', 'ended'] as const) hear(kind);
    expect(called).toEqual(['paused', `ended ${ID}`]);
    isAwaited = false;
    hear('ended');
    expect(called).toHaveLength(2);
  });

  it('passes on what others watch, and what has changed of what is watched here', () => {
    [isActive, isAwaited, isWatched] = [false, false, true];
    for (const kind of ['watched', 'changed', 'ended'] as const) hear(kind);
    expect(called).toEqual([`watched ${ID}`, `changed ${ID}`, `changed ${ID}`]);
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

  it('leaves work to the processes that are named', () => {
    reactions.hear(`w${TENANT}:${OTHER}`, SENDER);
    tag = undefined;
    reactions.hear(`w${TENANT}:${OWN}`, SENDER);
    expect(called).toEqual([]);
    tag = OWN;
    reactions.hear(`w${TENANT}:${OTHER}${OWN}`, SENDER);
    expect(called).toEqual(['named']);
  });

  it('passes work on that it can not take, but nothing that is for all', async () => {
    takesPart = false;
    reactions.hear(`w${TENANT}`, SENDER);
    await clock.advance(0);
    expect(called).toEqual(['work']);
    reactions.hear(`w${TENANT}:${OWN}`, SENDER);
    await clock.advance(0);
    expect(called).toEqual(['work', 'named', `pass on ${TENANT}`]);
  });

  it('passes on the work of a tenant that it does not serve, at a limited rate', async () => {
    const strange = (n: number): string => n.toString(16).padStart(16, 'f');
    reactions.hear(`w${strange(0)}:${OWN}`, SENDER);
    await clock.advance(0);
    expect(called).toEqual([`pass on ${strange(0)}`]);
    for (let n = 1; n < 1_000; n++) reactions.hear(`w${strange(n)}:${OWN}`, SENDER);
    await clock.advance(10_000);
    expect(called.length).toBeLessThan(50);
    expect(clock.waiting).toBe(0);
  });

  it('takes part in work that another process passes on, and notes which one', () => {
    reactions.hear(`w${TENANT}!${OTHER}`, SENDER);
    expect(called).toEqual([`passed on by ${OTHER}`, 'work']);
    reactions.hear(`w${TENANT}!${OWN}`, SENDER);
    expect(called).toHaveLength(2);
  });

  it('notes nothing of a wake-up that is passed on for a tenant that it does not serve', () => {
    reactions.hear(`w${'f'.repeat(16)}!${OTHER}`, SENDER);
    expect(called).toEqual([]);
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
