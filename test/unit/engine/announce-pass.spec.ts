import { beforeEach, describe, expect, it } from '@jest/globals';
import { AnnouncePass, type AnnouncedTenant } from '../../../lib/engine/process/announce-pass.js';
import type { Announcement } from '../../../lib/store/port/index.js';
import { ManualClock } from '../../../lib/testing/manual-clock.js';
import { gate } from '../../support/gate.js';

const HOUR_MS = 3_600_000;

type Own = Omit<Announcement, 'tenant'>;

let clock: ManualClock;
let tenants: (AnnouncedTenant & { self: { announcement: Own | undefined } })[];
/** The states that each statement has announced. */
let sent: string[][];
let withdrawn: string[];
let fails: boolean;
/** What the end of a statement waits for. */
let storing: Promise<void>;
/** A schema that can't be written to. */
let broken: string | undefined;
let lockSession: string | null;
let planned: number;
let pass: AnnouncePass;
const announcement: Own = { state: 'claiming', slots: 10, definitions: [], limits: '{}' };

beforeEach(() => {
  clock = new ManualClock();
  tenants = ['a', 'b'].map((schema) => ({
    store: { handle: { schema } },
    self: { announcement },
  }));
  sent = [];
  withdrawn = [];
  fails = false;
  storing = Promise.resolve();
  broken = undefined;
  lockSession = '1:1';
  planned = 0;
  pass = new AnnouncePass({
    clock,
    session: () => ({
      epoch: null,
      lockSession,
      close: () => Promise.resolve(),
      announce: async (_, announcements) => {
        if (fails) throw new Error('away');
        sent.push(announcements.map(({ tenant, state }) => `${tenant.schema} ${state}`));
        await storing;
        return announcements.map(({ tenant }) => (tenant.schema === broken ? undefined : true));
      },
      withdraw: async (_, handles) => {
        withdrawn.push(...handles.map(({ schema }) => schema));
        return handles.map(() => true as const);
      },
    }),
    identity: () => ({ processId: 'p', name: 'host:1', format: 2 }),
    tenants: () => tenants,
    named: (names) => tenants.filter(({ store }) => names.includes(store.handle.schema)),
    plan: () => planned++,
  });
});

describe('AnnouncePass', () => {
  it('sends one statement for changes that come together, and none in a round without a change', async () => {
    pass.changed();
    pass.changed();
    expect(planned).toBe(1);
    await pass.look();
    expect(sent).toEqual([]);
    await clock.advance(20);
    await pass.look();
    expect(sent).toEqual([['a claiming', 'b claiming']]);
    expect(pass.nextLookAt).toBeUndefined();
    await pass.over(['a', 'b']);
    expect(sent).toHaveLength(1);
  });

  it('announces what has changed: the state, and the lock of a new session', async () => {
    await pass.over(['a', 'b']);
    tenants[1]!.self.announcement = { ...announcement, state: 'paused' };
    await pass.over(['a', 'b']);
    expect(sent[1]).toEqual(['b paused']);
    lockSession = '2:2';
    await pass.over(['a', 'b']);
    expect(sent[2]).toEqual(['a claiming', 'b paused']);
  });

  it('leaves out a tenant that it does not serve yet', async () => {
    tenants[0]!.self.announcement = undefined;
    await pass.over(['a', 'b']);
    expect(sent).toEqual([['b claiming']]);
  });

  it('writes again before others delete the row, and without a lock before they take the process for dead', async () => {
    await pass.over(['a']);
    await clock.advance(HOUR_MS - 1);
    await pass.over(['a']);
    expect(sent).toHaveLength(1);
    await clock.advance(1);
    await pass.over(['a']);
    expect(sent).toHaveLength(2);
    lockSession = null;
    await pass.over(['a']);
    await clock.advance(60_000);
    await pass.over(['a']);
    expect(sent).toHaveLength(4);
  });

  it('sends again after a failure of the session', async () => {
    fails = true;
    await expect(pass.over(['a'])).rejects.toThrow('away');
    fails = false;
    await pass.over(['a']);
    expect(sent).toEqual([['a claiming']]);
  });

  it('tries again after a minute where it could not write, and not in each round', async () => {
    broken = 'a';
    await pass.over(['a', 'b']);
    await clock.advance(59_999);
    await pass.over(['a', 'b']);
    expect(sent).toHaveLength(1);
    await clock.advance(1);
    await pass.over(['a', 'b']);
    expect(sent[1]).toEqual(['a claiming']);
  });

  it('withdraws at the end of a process without a lock what it has announced, also what is under way', async () => {
    lockSession = null;
    await pass.over(['a']);
    const { passed, open } = gate();
    storing = passed;
    const announcing = pass.over(['b']);
    const closing = pass.close();
    expect(withdrawn).toEqual([]);
    open();
    await Promise.all([announcing, closing]);
    expect(withdrawn).toEqual(['a', 'b']);
    tenants[0]!.self.announcement = { ...announcement, state: 'draining' };
    await pass.over(['a']);
    expect(sent).toEqual([['a claiming'], ['b claiming']]);
  });

  it('withdraws from a tenant only after an announcement under way is stored', async () => {
    await pass.over(['a', 'b']);
    const { passed, open } = gate();
    storing = passed;
    tenants[0]!.self.announcement = { ...announcement, state: 'draining' };
    const announcing = pass.over(['a']);
    const withdrawing = pass.withdraw(tenants[0]!);
    expect(withdrawn).toEqual([]);
    open();
    await Promise.all([announcing, withdrawing]);
    expect(withdrawn).toEqual(['a']);
  });

  it('withdraws what it has announced before a failure of the session', async () => {
    await pass.over(['a']);
    tenants[0]!.self.announcement = { ...announcement, state: 'draining' };
    fails = true;
    await expect(pass.over(['a'])).rejects.toThrow('away');
    await pass.withdraw(tenants[0]!);
    expect(withdrawn).toEqual(['a']);
  });

  it('leaves its rows to the end of its lock', async () => {
    await pass.over(['a']);
    await pass.close();
    expect(withdrawn).toEqual([]);
  });

  it('withdraws what it has announced, once', async () => {
    await pass.over(['a']);
    await pass.withdraw(tenants[0]!);
    await pass.withdraw(tenants[0]!);
    await pass.withdraw(tenants[1]!);
    expect(withdrawn).toEqual(['a']);
  });
});
