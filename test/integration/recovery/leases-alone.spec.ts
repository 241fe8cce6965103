import { describe, expect, it } from '@jest/globals';
import { heldToken } from '../../support/claim-tokens.js';
import { queryIn } from '../../support/open-tenant.js';
import { freshSchema } from '../../support/postgres.js';
import { waitFor } from '../../support/wait-for.js';
import { Workers, waits } from './workers.js';

const LEASE_MS = 2_000;

describe('Leases', () => {
  it('alone have a dead process noticed within their duration, a third of it and a second', async () => {
    const workers = new Workers([freshSchema()], {
      controlConnection: false,
      leaseDurationMs: LEASE_MS,
    });
    const victim = await workers.child();
    await victim.start(waits(5));
    await workers.begun(5);
    const [survivor] = await workers.here();
    // Longer than a lease: it is renewed, and nobody takes anything.
    const [first] = await survivor!.query<{ at: Date }>(
      'SELECT expires_at AS at FROM cloacina_runner_lease',
    );
    await waitFor(async () => {
      const [row] = await survivor!.query<{ over: boolean }>(
        `SELECT clock_timestamp() > $1::timestamptz + interval '1 s' AS over`,
        [first?.at],
      );
      return row?.over;
    });
    expect(workers.entries('begun')).toHaveLength(5);

    await victim.process.kill();
    await workers.begun(10);
    const { items } = await survivor!.recovery.events();
    expect(items.map(({ cause }) => cause)).toEqual(new Array(5).fill('leaseOver'));
    workers.release();
  });

  it('give a process up that hangs; when it comes back its writes are refused and it goes on as another instance', async () => {
    const schema = freshSchema();
    const workers = new Workers([schema], { leaseDurationMs: LEASE_MS, maxConcurrentTasks: 20 });
    const zombie = await workers.child();
    const ids = await zombie.start(waits(5));
    await workers.begun(5);
    const instances = async (): Promise<string[]> =>
      (
        await queryIn<{ id: string }>(schema, 'SELECT instance_id AS id FROM cloacina_runner_lease')
      ).map(({ id }) => id);
    const [former] = await instances();
    const [survivor] = await workers.here();
    zombie.process.signal('SIGSTOP');
    await workers.begun(10);
    expect((await survivor!.recovery.events()).items[0]).toMatchObject({
      cause: 'leaseOver',
      previousOwner: former,
    });

    // It has been told to end its handlers, and tries to write what it takes for its outcomes.
    zombie.order({ release: true });
    zombie.process.signal('SIGCONT');
    await waitFor(
      () =>
        workers.entries().filter(({ what, by }) => by === zombie.name && what !== 'begun')
          .length === 5,
    );
    const [next = ''] = await zombie.start([{ name: 'new work', do: 'go' }]);
    expect(await survivor!.runner.handle(next).result()).toMatchObject({ status: 'Completed' });
    const during = await queryIn<{ status: string; token: string; owner: string }>(
      schema,
      `SELECT status, claim_token AS token, owner FROM cloacina_task_execution
       WHERE task_no = 0 AND execution_id = ANY ($1::uuid[])`,
      [ids],
    );
    for (const task of during) {
      expect(task.status).toBe('Running');
      expect(Number(task.token)).toEqual(heldToken(2));
      expect(task.owner).not.toBe(former);
    }
    workers.release();
    const results = await Promise.all(ids.map((id) => survivor!.runner.handle(id).result()));
    expect(new Set(results.map(({ status }) => status))).toEqual(new Set(['Completed']));
    expect(await instances()).not.toContain(former);
    const [{ count } = { count: 0 }] = await queryIn<{ count: number }>(
      schema,
      'SELECT count(*)::integer FROM cloacina_task_execution WHERE owner = $1',
      [former],
    );
    expect(count).toBe(0);
  });

  it('are lost by an event loop that is blocked for longer, and its handlers are told', async () => {
    const workers = new Workers([freshSchema()], { leaseDurationMs: LEASE_MS });
    const blocked = await workers.child();
    const ids = await blocked.start(waits(3));
    await workers.begun(3);
    const [survivor] = await workers.here();
    blocked.order({ blockMs: LEASE_MS * 2.5 });
    await workers.begun(6);
    await waitFor(() => workers.entries('aborted').length === 3);
    workers.release();
    const results = await Promise.all(ids.map((id) => survivor!.runner.handle(id).result()));
    for (const { status, tasks } of results) {
      expect(status).toBe('Completed');
      expect(tasks[0]).toMatchObject({ attempt: 1, recoveryAttempts: 1 });
    }
  });
});
