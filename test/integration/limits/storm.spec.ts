import { expect, it } from '@jest/globals';
import { startChild, type TestChild } from '../../support/child-process.js';
import { openTenant } from '../../support/open-tenant.js';
import { freshSchema } from '../../support/postgres.js';
import { sized } from '../../support/sizes.js';
import { waitFor } from '../../support/wait-for.js';
import { audit, highest, limited, PER_KEY, TOTAL } from './limited.js';

const SCRIPT = new URL('limited-worker.ts', import.meta.url);
const PROCESSES = 3;
const KEYS = 12;
const EXECUTIONS = sized(3_000, 600);
const KILLS = sized(10, 3);

it('Of processes that are killed, none takes more slots than there are, and no slot is lost', async () => {
  const schema = freshSchema();
  const client = await openTenant([limited], { schema, maxConcurrentTasks: 0 });
  await audit(client);
  const child = async (): Promise<TestChild> => {
    const started = startChild(SCRIPT, { env: { SCHEMA: schema } });
    await started.message<{ kind: string }>(({ kind }) => kind === 'ready');
    return started;
  };
  const children = await Promise.all(Array.from({ length: PROCESSES }, child));
  const ended = async (): Promise<number> => {
    const [row] = await client.query<{ n: string }>(
      `SELECT count(*) AS n FROM cloacina_workflow_execution WHERE status = 'Completed'`,
    );
    return Number(row?.n);
  };

  await Promise.all(
    Array.from({ length: EXECUTIONS }, (_, n) =>
      client.runner.start(limited, { key: `key ${n % KEYS}`, ms: 1 + (n % 8) }),
    ),
  );
  for (let kill = 1; kill <= KILLS; kill++) {
    const enough = (EXECUTIONS * kill) / (KILLS + 1);
    await waitFor(async () => (await ended()) >= enough, { what: `${enough} executions` });
    await children.shift()?.kill();
    children.push(await child());
  }
  await waitFor(async () => (await ended()) === EXECUTIONS, { what: 'all executions' });

  expect(await highest(client)).toEqual({ key: PER_KEY, total: TOTAL });
  const keys = await client.engine.store.limits.keys('calls', null, 100);
  expect(keys).toHaveLength(KEYS);
  for (const { holders, waiting } of keys) {
    expect({ holders, waiting }).toEqual({ holders: [], waiting: 0 });
  }
}, 240_000);
