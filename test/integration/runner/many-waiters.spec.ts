import { describe, expect, it } from '@jest/globals';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import { type OpenTenant, openTenant } from '../../support/open-tenant.js';
import { connectAdmin, freshSchema } from '../../support/postgres.js';
import { waitFor } from '../../support/wait-for.js';

const WAITERS = 1_000;
const noop = defineWorkflow('noop')
  .task('only', () => undefined)
  .build();

/** How often the process asks for the status of executions that it waits for, by wrappers around the asking. */
function countLooks({ engine: { store } }: OpenTenant): { together: number; alone: number } {
  const count = { together: 0, alone: 0 };
  const awaitOne = store.await.bind(store);
  const awaitUnlocked = store.awaitUnlocked.bind(store);
  store.await = (id) => {
    count.alone++;
    return awaitOne(id);
  };
  store.awaitUnlocked = (ids) => {
    count.together++;
    return awaitUnlocked(ids);
  };
  return count;
}

describe('Callers that wait for executions of another process', () => {
  it('ask in a few statements, all of them together', async () => {
    const schema = freshSchema();
    const client = await openTenant([noop], { schema, maxConcurrentTasks: 0 });
    const handles = await Promise.all(
      Array.from({ length: WAITERS }, () => client.runner.start(noop)),
    );
    const looks = countLooks(client);
    const ends = handles.map((handle) => handle.result());
    await waitFor(async () => {
      const rows = await client.query('SELECT FROM cloacina_workflow_execution WHERE has_waiters');
      return rows.length === WAITERS;
    });
    expect(looks.alone).toBe(0);
    await openTenant([noop], { schema });
    expect(new Set((await Promise.all(ends)).map(({ status }) => status))).toEqual(
      new Set(['Completed']),
    );
  });

  it('are held up neither by an execution that is locked nor by one that is not there', async () => {
    const schema = freshSchema();
    const client = await openTenant([noop], { schema, maxConcurrentTasks: 0 });
    const [locked, free] = await Promise.all([
      client.runner.start(noop),
      client.runner.start(noop),
    ]);
    const absent = client.runner.handle('00000000-0000-7000-8000-000000000000');
    const admin = await connectAdmin();
    await admin.query('BEGIN');
    await admin.query(
      `SELECT FROM ${schema}.cloacina_workflow_execution WHERE id = $1 FOR UPDATE`,
      [locked.id],
    );
    let lockedHasEnded = false;
    const lockedEnd = locked.result({ settled: true }).finally(() => (lockedHasEnded = true));
    const freeEnd = free.result({ settled: true });
    await expect(absent.result()).rejects.toMatchObject({ code: 'UNKNOWN_EXECUTION' });
    await free.cancel();
    expect((await freeEnd).status).toBe('Cancelled');
    expect(lockedHasEnded).toBe(false);
    await admin.query('COMMIT');
    await admin.end();
    await locked.cancel();
    expect((await lockedEnd).status).toBe('Cancelled');
  });
});
