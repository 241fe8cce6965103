import { randomUUID } from 'node:crypto';
import { expect, it } from '@jest/globals';
import { Client } from 'pg';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import { gate } from '../../support/gate.js';
import { openTenant, processEngineOf, type OpenTenant } from '../../support/open-tenant.js';
import type { LeaseRow } from '../../../lib/store/port/index.js';
import { LIVENESS_LOCK_CLASS } from '../../../lib/store/postgres/statements/liveness-locks.js';
import { databaseUrl, freshSchema } from '../../support/postgres.js';
import { TcpProxy } from '../../support/tcp-proxy.js';
import { waitFor } from '../../support/wait-for.js';
import { Stoppable } from './stoppable.js';

/** The end of a look at which a lock is missing: which processes have a connection still. */
const CONNECTIONS = 'SELECT DISTINCT a.application_name';
/** What a look begins with. */
const LOCKS = 'k.objid::bigint';

/**
 * A process whose handler runs loses all of its connections, and comes back. Returns how often the handler began.
 *
 * @param inTime - it is back when the other process looks a second time; otherwise it is not before that has decided,
 *   as if there were no second look
 */
async function play(inTime: boolean): Promise<number> {
  const schema = freshSchema();
  const free = gate();
  let begun = 0;
  const workflow = defineWorkflow('held')
    .task('only', async () => {
      begun++;
      await free.passed;
    })
    .build();
  const proxy = await TcpProxy.start();
  const cut = await openTenant([workflow], { schema, databaseUrl: proxy.url });
  const { id } = await cut.runner.start(workflow);
  await waitFor(() => begun === 1);
  const other = await openTenant([workflow], { schema, claiming: false });
  const looks = new Stoppable(other);
  const recoveries = async (): Promise<number> =>
    (await cut.query('SELECT FROM cloacina_recovery_event')).length;

  await proxy.refuse();
  await waitFor(async () => (await connectionsOf(cut)) === 0);
  const first = looks.stopBefore(CONNECTIONS);
  const recovering = other.recovery.run();
  await first;
  looks.goOn();
  if (inTime) {
    await looks.stopBefore(LOCKS);
    await proxy.accept();
    await waitFor(async () => (await connectionsOf(cut)) > 0 && processEngineOf(cut).session !== undefined); // prettier-ignore
    looks.goOn();
    await recovering;
  } else {
    await waitFor(async () => (await recoveries()) > 0);
    await proxy.accept();
  }
  await other.host.startClaiming();
  // The next pass has been made, by this process or the other.
  await other.recovery.run();
  if (!inTime) await waitFor(() => begun === 2);
  expect(await recoveries()).toBe(inTime ? 0 : 1);
  free.open();
  expect((await other.runner.handle(id).result()).status).toBe('Completed');
  return begun;
}

async function connectionsOf(tenant: OpenTenant): Promise<number> {
  const rows = await tenant.query(
    `SELECT FROM pg_stat_activity WHERE application_name = 'cloacina:' || $1`,
    [processEngineOf(tenant).processId],
  );
  return rows.length;
}

it('A process whose connections are away at one look, and back at the second, is not taken for dead', async () => {
  expect(await play(true)).toBe(1);
});

it('It would be by the first look alone, and its handler would run a second time for nothing', async () => {
  expect(await play(false)).toBe(2);
});

it.each([
  ['proves nothing, as it is busy', false],
  ['proves that it lives, as it holds a lock of the class', true],
])('The only connection of a process, whose lease tells another lock, %s', async (_, holdsLock) => {
  const one = await openTenant([defineWorkflow('idle').task('only', () => undefined).build()]); // prettier-ignore
  const { session } = processEngineOf(one);
  if (session === undefined) throw new Error('There is no control connection.');
  const processId = randomUUID();
  const only = new Client({
    connectionString: databaseUrl(),
    application_name: `cloacina:${processId}`,
  });
  only.on('error', () => undefined);
  await only.connect();
  const [held] = (await only.query<{ login: string }>('SELECT current_user::text AS login')).rows;
  // All that the statement reads of a lease.
  const lease = { processId, login: held?.login ?? '' } as LeaseRow;
  if (holdsLock) await only.query('SELECT pg_advisory_lock($1, 1)', [LIVENESS_LOCK_CLASS]);
  const busy = only.query('SELECT pg_sleep(600)').catch(() => undefined);
  await waitFor(async () => {
    const active = `SELECT FROM pg_stat_activity WHERE application_name = $1 AND state = 'active'`;
    return (await one.query(active, [`cloacina:${processId}`])).length === 1;
  });
  expect((await session.connected([lease])).has(lease)).toBe(holdsLock);
  await one.query('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1', [`cloacina:${processId}`]); // prettier-ignore
  await busy;
});
