import { expect, it } from '@jest/globals';
import { startChild, type TestChild } from '../../support/child-process.js';
import { openTenant } from '../../support/open-tenant.js';
import { freshSchema } from '../../support/postgres.js';
import { sized } from '../../support/sizes.js';
import { waitFor } from '../../support/wait-for.js';
import { admitted, auditAdmissions, mostAdmitted, PER_KEY } from './admitted.js';

const SCRIPT = new URL('admitted-worker.ts', import.meta.url);
const PROCESSES = 3;
const KEYS = 8;
const EXECUTIONS = sized(1_500, 300);
const KILLS = sized(10, 3);

it('Of processes that are killed, none admits more executions than there are slots, and no slot is lost', async () => {
  const schema = freshSchema();
  const client = await openTenant([admitted], { schema, maxConcurrentTasks: 0 });
  await auditAdmissions(client);
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

  await client.runner.startMany(
    admitted,
    Array.from({ length: EXECUTIONS }, (_, n) => ({ key: `key ${n % KEYS}`, ms: n % 8 })),
  );
  for (let kill = 1; kill <= KILLS; kill++) {
    const enough = (EXECUTIONS * kill) / (KILLS + 1);
    await waitFor(async () => (await ended()) >= enough, { what: `${enough} executions` });
    await children.shift()?.kill();
    children.push(await child());
  }
  await waitFor(async () => (await ended()) === EXECUTIONS, { what: 'all executions' });

  expect(await mostAdmitted(client)).toBe(PER_KEY);
  const [row] = await client.query<{ keys: string[] }>(
    'SELECT array_agg(DISTINCT admission_key) AS keys FROM cloacina_workflow_execution',
  );
  expect(row?.keys).toHaveLength(KEYS);
  for (const { holders, waiting } of await client.engine.store.admissions.states(row?.keys ?? [])) {
    expect({ holders, waiting }).toEqual({ holders: [], waiting: 0 });
  }
}, 240_000);
