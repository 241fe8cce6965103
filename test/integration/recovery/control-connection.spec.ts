import { describe, expect, it } from '@jest/globals';
import { type OpenTenant, queryIn } from '../../support/open-tenant.js';
import { freshSchema } from '../../support/postgres.js';
import { waitFor } from '../../support/wait-for.js';
import { Workers, waits } from './workers.js';

/** Processes with a lease in the schema, each with the backend that holds its lock. */
async function locksOf(schema: string): Promise<{ process: string; pid: number }[]> {
  return queryIn(
    schema,
    `SELECT l.process_id::text AS process, a.pid FROM cloacina_runner_lease l
     JOIN pg_stat_activity a ON a.application_name = 'cloacina:' || l.process_id
     JOIN pg_locks k ON k.pid = a.pid AND k.locktype = 'advisory' AND k.classid = 1129072451`,
  );
}

/** Two hosts in one process are two to the server: each has its own connections, lock and leases. */
async function startIn({ runner }: OpenTenant, count: number): Promise<void> {
  for (const input of waits(count)) await runner.start('holding', { ...input });
}

async function terminate(schema: string, pids: readonly number[]): Promise<void> {
  await queryIn(schema, 'SELECT pg_terminate_backend(p) FROM unnest($1::integer[]) p', [pids]);
}

describe('A control connection that is cut', () => {
  it('comes back, in one process or all, and no handler runs a second time', async () => {
    const schema = freshSchema();
    const workers = new Workers([schema], { maxConcurrentTasks: 5 });
    const [[one], [two]] = [await workers.here(), await workers.here()];
    await startIn(one!, 5);
    await startIn(two!, 5);
    await workers.begun(10);
    let before = await waitFor(async () => {
      const locks = await locksOf(schema);
      return locks.length === 2 ? locks : undefined;
    });
    for (const cut of [[0], [1], [0, 1], [0, 1]]) {
      const pids = cut.map((i) => before[i]?.pid ?? 0);
      await terminate(schema, pids);
      before = await waitFor(async () => {
        const locks = await locksOf(schema);
        return locks.length === 2 && !locks.some(({ pid }) => pids.includes(pid))
          ? locks
          : undefined;
      });
    }
    // Both claim again.
    workers.release();
    await waitFor(() => workers.entries('ended').length === 10);
    await startIn(one!, 3);
    await startIn(two!, 2);
    await workers.begun(15);
    expect(workers.entries('begun')).toHaveLength(15);
    expect(await queryIn(schema, 'SELECT FROM cloacina_recovery_event')).toEqual([]);
  });

  it('is no reason to recover when all other connections are cut with it', async () => {
    const schema = freshSchema();
    const workers = new Workers([schema], { maxConcurrentTasks: 5 });
    const [[one], [two]] = [await workers.here(), await workers.here()];
    await startIn(one!, 5);
    await startIn(two!, 5);
    await workers.begun(10);
    for (let i = 0; i < 3; i++) {
      const before = await locksOf(schema);
      await queryIn(
        schema,
        `SELECT pg_terminate_backend(a.pid) FROM pg_stat_activity a
         JOIN cloacina_runner_lease l ON a.application_name = 'cloacina:' || l.process_id`,
      );
      await waitFor(async () => {
        const locks = await locksOf(schema);
        return locks.length === 2 && !locks.some(({ pid }) => before.some((b) => b.pid === pid));
      });
    }
    workers.release();
    await waitFor(() => workers.entries('ended').length === 10);
    expect(workers.entries('begun')).toHaveLength(10);
    expect(await queryIn(schema, 'SELECT FROM cloacina_recovery_event')).toEqual([]);
  });
});
