import { expect, it } from '@jest/globals';
import { startChild, type TestChild } from '../../support/child-process.js';
import { openTenant, type OpenTenant } from '../../support/open-tenant.js';
import { freshSchema } from '../../support/postgres.js';
import { pairs, sized } from '../../support/sizes.js';
import { waitFor } from '../../support/wait-for.js';
import { STATEMENTS, type Failpoint } from '../../faults/workload/failpoints.js';
import { Paid, receipts } from './event-receipts.js';

const SCRIPT = new URL('event-worker.ts', import.meta.url);
const EVENTS = sized(200, 60);
const KILLS = sized(6, 3);

/** The keys of the executions that events have started. */
async function keysOf({ query }: OpenTenant): Promise<string[]> {
  const rows = await query<{ key: string }>(
    'SELECT idempotency_key AS key FROM cloacina_workflow_execution ORDER BY 1',
  );
  return rows.map(({ key }) => key);
}

async function expectedKeys({ query }: OpenTenant): Promise<string[]> {
  const rows = await query<{ id: string }>('SELECT id FROM cloacina_signal');
  return rows.map(({ id }) => `event:${id}`).sort();
}

/** Lets the time of starts pass that a killed process had taken, until none is left. */
async function untilAllAreMade(tenant: OpenTenant, survivor: OpenTenant): Promise<void> {
  await waitFor(
    async () => {
      const [row] = await tenant.query<{ n: string }>(
        `SELECT (SELECT count(*) FROM cloacina_event_start)
              + (SELECT count(*) FROM cloacina_signal WHERE NOT delivered) AS n`,
      );
      if (row?.n === '0') return true;
      await tenant.query('UPDATE cloacina_event_start SET due_at = now()');
      survivor.engine.deliverMessages();
      return false;
    },
    { what: 'that all events have started their executions' },
  );
}

it('Each of many events starts one execution, although processes that deliver and start are killed', async () => {
  const schema = freshSchema();
  const child = async (): Promise<TestChild> => {
    const started = startChild(SCRIPT, { env: { SCHEMA: schema } });
    await started.message<{ kind: string }>(({ kind }) => kind === 'ready');
    return started;
  };
  const children = [await child(), await child()];
  const client = await openTenant([], { schema });
  const { runner, dataSource } = client;
  for (let kill = 1; kill <= KILLS; kill++) {
    const emitted = Array.from({ length: EVENTS / KILLS }, (_, n) =>
      n % 2 === 0
        ? runner.emit(Paid, 'key', { n })
        : dataSource.transaction((manager) => runner.emit(Paid, 'key', { n }, { manager })),
    );
    await waitFor(async () => (await keysOf(client)).length >= (EVENTS * (kill - 0.9)) / KILLS);
    await children.shift()?.kill();
    await Promise.all(emitted);
    children.push(await child());
  }
  const survivor = await openTenant([receipts()], { schema });
  await untilAllAreMade(client, survivor);
  const keys = await keysOf(client);
  expect(keys).toEqual(await expectedKeys(client));
  expect(keys).toHaveLength(Math.floor(EVENTS / KILLS) * KILLS);
}, 120_000);

const POINTS = pairs(
  [
    ['it delivers the event', STATEMENTS.deliverMessages],
    ['it takes the start', STATEMENTS.takeEventStarts],
    ['it starts the execution', STATEMENTS.start],
    ['it notes that it was started', STATEMENTS.settleEventStarts],
  ] as const,
  [
    ['before', 'before'],
    ['while', 'sent'],
    ['after', 'after'],
  ] as const,
).map(([[what, statement], [word, at]]): [string, Failpoint] => [
  `${word} ${what}`,
  { at, statement },
]);

it.each(POINTS)(
  'A process that is killed %s starts one execution for the event',
  async (_, failpoint) => {
    const schema = freshSchema();
    const client = await openTenant([], { schema });
    const victim = startChild(SCRIPT, {
      env: { SCHEMA: schema, EMIT: '1', FAILPOINT: JSON.stringify(failpoint) },
    });
    expect(await victim.end()).toMatchObject({ signal: 'SIGKILL' });
    const survivor = await openTenant([receipts()], { schema });
    survivor.engine.deliverMessages();
    await untilAllAreMade(client, survivor);
    const keys = await keysOf(client);
    expect(keys).toHaveLength(1);
    expect(keys).toEqual(await expectedKeys(client));
  },
);
