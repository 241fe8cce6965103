import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Client } from 'pg';
import {
  decodeNotification,
  tagOf,
  type Notification,
} from '../../../lib/engine/process/notification.js';
import type { WorkCalls } from '../../../lib/engine/process/work-calls.js';
import { systemClock, type Clock } from '../../../lib/runtime/clock.js';
import { SYSTEM_CLOCKS } from '../../../lib/store/postgres/clocks.js';
import {
  enginePartOf,
  processEngineOf,
  stopRounds,
  type OpenTenant,
} from '../../support/open-tenant.js';
import { connectAdmin, freshSchema } from '../../support/postgres.js';
import { waitFor } from '../../support/wait-for.js';
import { Workers, type Worker } from '../recovery/workers.js';

/** Wake-ups in the order in which the server delivered them. */
let heard: Notification[];
let listener: Client;
let workers: Workers;
/** Runs no tasks. It names the process that `choice` selects. */
let client: OpenTenant;
/** A process of its own, and one that stands for another and looks for no work by itself. */
let child: Worker;
let other: OpenTenant;
let choice: () => string | undefined;
/** Whether the client looks what became of the work. On a slow machine it would be too early for a named process. */
let looks: boolean;

/** The time of that look, after the wake-up, in milliseconds. */
const LOOK_MS = 50;

beforeEach(async () => {
  heard = [];
  choice = () => undefined;
  looks = false;
  listener = await connectAdmin();
  listener.on('notification', ({ payload = '' }) => {
    const notification = decodeNotification(payload);
    if (notification?.kind === 'work') heard.push(notification);
  });
  await listener.query('LISTEN cloacina');
  workers = new Workers([freshSchema()]);
  const random = (): number => {
    const lock = choice();
    // Rounds choose by chance too, also before the client is open.
    if (lock === undefined) return 0;
    const at = peersOf(client).indexOf(lock);
    return at === -1 ? 0 : at / peersOf(client).length;
  };
  const timer: Clock['timer'] = (callback, ms) =>
    ms === LOOK_MS && !looks ? { cancel: () => undefined } : systemClock.timer(callback, ms);
  const process = { ...systemClock, random, timer };
  [client] = (await workers.here({
    maxConcurrentTasks: 0,
    clocks: { ...SYSTEM_CLOCKS, process },
  })) as [OpenTenant];
  [other] = (await workers.here({ maxConcurrentTasks: 1 })) as [OpenTenant];
  child = await workers.child({ maxConcurrentTasks: 10 });
  await waitFor(() => peersOf(client).length === 2, { what: 'both workers to be known' });
  for (const tenant of [client, other]) stopRounds(tenant);
  heard.length = 0;
});
afterEach(async () => {
  workers.release();
  await child.process.kill();
  await listener.end();
});

/** The locks of the other processes that the client knows, in the order in which it chooses among them. */
function peersOf(tenant: OpenTenant): string[] {
  const { peers } = Reflect.get(processEngineOf(tenant), 'options') as {
    peers: () => Iterable<string>;
  };
  return [...peers()];
}

const lockOfOther = (): string => processEngineOf(other).session?.lockSession ?? '';
const lockOfChild = (): string => peersOf(client).find((lock) => lock !== lockOfOther()) ?? '';

/** After its boot the child looks for work. If it is stopped then, the server may still execute its claim. */
async function untilChildIsIdle(): Promise<void> {
  const [id = ''] = await child.start([{ name: 'first', do: 'go' }]);
  await client.runner.handle(id).result({ timeout: '60s' });
  heard.length = 0;
}

/** Stops the child when the server executes none of its statements: one that it has sent may still claim a task. */
async function stopChild(): Promise<void> {
  const backend = Number(lockOfChild().split(':')[1]);
  child.process.signal('SIGSTOP');
  const isActive = async (): Promise<boolean> => {
    const { rowCount } = await listener.query(
      `SELECT FROM pg_stat_activity a JOIN pg_stat_activity of_child USING (application_name)
       WHERE of_child.pid = $1 AND a.state = 'active'`,
      [backend],
    );
    return rowCount !== 0;
  };
  await waitFor(async () => !(await isActive()), { what: 'the statements of the child to end' });
}

describe('A wake-up names a process', () => {
  it('which takes the work, and the others send no statement', async () => {
    choice = lockOfChild;
    const claims: unknown[] = [];
    const claim = other.engine.store.claim.bind(other.engine.store);
    other.engine.store.claim = (...args) => {
      claims.push(args);
      return claim(...args);
    };
    await client.runner.execute('holding', { name: 'task', do: 'go' }, { timeout: '60s' });
    expect(heard).toMatchObject([{ named: [tagOf(lockOfChild())] }]);
    expect(workers.entries('begun')).toMatchObject([{ by: child.name }]);
    expect(claims).toEqual([]);
  });

  it('which hangs, and the sender wakes all', async () => {
    choice = lockOfChild;
    await untilChildIsIdle();
    looks = true;
    await stopChild();
    const input = { name: 'task', do: 'go' } as const;
    const result = await client.runner.execute('holding', input, { timeout: '60s' });
    expect(result.status).toBe('Completed');
    expect(workers.entries('begun').at(-1)).toMatchObject({ by: expect.stringMatching(/^here/) });
    expect(heard.slice(0, 2)).toEqual([
      expect.objectContaining({ named: [tagOf(lockOfChild())] }),
      expect.not.objectContaining({ named: expect.anything() }),
    ]);
  });

  it('which dies, and the work is not lost', async () => {
    choice = lockOfChild;
    await stopChild();
    const handle = await client.runner.start('holding', { name: 'task', do: 'go' });
    await child.process.kill();
    expect((await handle.result({ timeout: '60s' })).status).toBe('Completed');
  });

  it('which has no free slot, and passes the wake-up on', async () => {
    choice = lockOfOther;
    // The first may be taken by the child, which looks for work after its boot.
    for (let begun = 0; enginePartOf(other, 'queue').running === 0;) {
      await client.runner.start('holding', { name: 'long', do: 'wait' });
      await workers.begun(++begun);
    }
    const isStuck = (): boolean => enginePartOf(other, 'queue').isStuck;
    await waitFor(isStuck, { what: 'a handler that takes long' });
    const calls = Reflect.get(processEngineOf(client), 'workCalls') as WorkCalls;
    const isNamed = (): boolean =>
      heard.some((one) => one.kind === 'work' && one.named?.includes(tagOf(lockOfOther())));
    // On a busy machine it may still pass one of these wake-ups on, and is not named for a while then.
    let tries = 0;
    do {
      calls.close();
      heard.length = 0;
      await client.runner.execute('holding', { name: 'task', do: 'go' }, { timeout: '60s' });
    } while (++tries < 5 && !isNamed());
    const ended = Array.from({ length: tries }, () => ({ by: child.name, name: 'task' }));
    expect(workers.entries('ended')).toMatchObject(ended);
    // Not the first: a busy machine may still look for help with an earlier task, which the child may hear before.
    expect(heard).toContainEqual(expect.objectContaining({ named: [tagOf(lockOfOther())] }));
    const isPassedOn = (): boolean =>
      heard.some((one) => one.kind === 'work' && one.passedOnBy === tagOf(lockOfOther()));
    await waitFor(isPassedOn, { what: 'the wake-up to be passed on' });
  });
});
