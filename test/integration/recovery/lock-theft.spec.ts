import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Client } from 'pg';
import { openTenant, processEngineOf } from '../../support/open-tenant.js';
import { connectAdmin, freshSchema } from '../../support/postgres.js';
import { TcpProxy } from '../../support/tcp-proxy.js';
import { waitFor } from '../../support/wait-for.js';
import { locksHeldBy, Stranger } from './stranger.js';
import { Workers, waits } from './workers.js';

let owner: Client;
let stranger: Stranger;
beforeAll(async () => {
  owner = await connectAdmin();
  stranger = await Stranger.create();
});
afterAll(() => owner.end());

/** Ends the backend that holds the process's lock, and waits until the stranger has that lock. */
async function steal(processId: string, keys: readonly number[]): Promise<void> {
  await owner.query(
    `SELECT pg_terminate_backend(a.pid) FROM pg_stat_activity a JOIN pg_locks k USING (pid)
      WHERE k.locktype = 'advisory' AND a.application_name = $1`,
    [`cloacina:${processId}`],
  );
  await waitFor(async () => (await locksHeldBy(owner, 'stranger')).length >= keys.length, {
    what: 'the theft',
  });
}

describe('A role that takes the locks it sees in pg_locks', () => {
  it('keeps no process from claiming', async () => {
    const workers = new Workers([freshSchema()]);
    const [tenant] = await workers.here();
    const { processId } = processEngineOf(tenant!);
    const keys = await stranger.takeLocks();
    expect(keys.length).toBeGreaterThan(0);

    await steal(processId, keys);

    workers.release();
    const { status } = await tenant!.runner.execute('holding', { name: 'after', do: 'go' });
    expect(status).toBe('Completed');
    const own = await locksHeldBy(owner, `cloacina:${processId}`);
    expect(own).toHaveLength(1);
    expect(keys).not.toContain(own[0]);
  });

  it('keeps no dead process alive, nor does one that calls itself by its name', async () => {
    const schema = freshSchema();
    const workers = new Workers([schema]);
    const [survivor] = await workers.here({ maxConcurrentTasks: 0 });
    const victim = await workers.child();
    await victim.start(waits(2));
    await workers.begun(2);
    const [lease] = await survivor!.query<{ process_id: string }>(
      'SELECT process_id FROM cloacina_runner_lease',
    );
    const name = `cloacina:${lease?.process_id}`;
    await stranger.takeLocks();
    await stranger.connect(name);

    await victim.process.kill();

    const { items } = await waitFor(async () => {
      const events = await survivor!.recovery.events();
      return events.items.length === 2 ? events : undefined;
    });
    expect(items.map(({ cause }) => cause)).toEqual(['lockGone', 'lockGone']);
    // What the test tells: the lock is held, and a connection of that name is idle.
    expect((await locksHeldBy(owner, 'stranger')).length).toBeGreaterThan(0);
    expect(await idleConnections(name)).toBe(1);
  });
});

async function idleConnections(name: string): Promise<number> {
  const { rows } = await owner.query(
    "SELECT FROM pg_stat_activity WHERE application_name = $1 AND state = 'idle'",
    [name],
  );
  return rows.length;
}

describe('A process of another login', () => {
  it('is not taken for dead when its control connection alone is cut', async () => {
    const schema = freshSchema();
    const proxy = await TcpProxy.start();
    const workers = new Workers([schema]);
    const [cut] = await workers.here({ controlUrl: proxy.url, poolSize: 4 });
    for (const input of waits(2)) await cut!.runner.start('holding', { ...input });
    await workers.begun(2);
    const other = await Stranger.create(
      (role) => `GRANT USAGE ON SCHEMA ${schema} TO ${role};
        GRANT ALL ON ALL TABLES IN SCHEMA ${schema} TO ${role};
        GRANT ALL ON ALL SEQUENCES IN SCHEMA ${schema} TO ${role}`,
    );
    const judge = await openTenant([], {
      schema,
      databaseUrl: other.databaseUrl,
      maxConcurrentTasks: 0,
    });
    const name = `cloacina:${processEngineOf(cut!).processId}`;

    await proxy.refuse();
    await waitFor(async () => (await locksHeldBy(owner, name)).length === 0);

    expect(await idleConnections(name)).toBeGreaterThan(0);
    expect(await judge.recovery.run()).toMatchObject({ recovered: 0 });
    // Nor was it recovered from by a look that the judge made by itself.
    expect(await judge.query('SELECT FROM cloacina_recovery_event')).toEqual([]);
    expect(processEngineOf(cut!).session).toBeUndefined();

    workers.release();
  });

  it('is recovered from when it is dead', async () => {
    const schema = freshSchema();
    const workers = new Workers([schema]);
    const victim = await workers.child();
    await victim.start(waits(1));
    await workers.begun(1);
    const other = await Stranger.create(
      (role) => `GRANT USAGE ON SCHEMA ${schema} TO ${role};
        GRANT ALL ON ALL TABLES IN SCHEMA ${schema} TO ${role};
        GRANT ALL ON ALL SEQUENCES IN SCHEMA ${schema} TO ${role}`,
    );
    const judge = await openTenant([], {
      schema,
      databaseUrl: other.databaseUrl,
      maxConcurrentTasks: 0,
    });
    await victim.process.kill();
    const { items } = await waitFor(async () => {
      const events = await judge.recovery.events();
      return events.items.length === 1 ? events : undefined;
    });
    expect(items).toEqual([expect.objectContaining({ cause: 'lockGone' })]);
  });
});
