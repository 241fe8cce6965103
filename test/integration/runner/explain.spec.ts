import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import type { ExecutionExplanation } from '../../../lib/runner/explain/explanation.js';
import { gate } from '../../support/gate.js';
import { openTenant, queryIn, type OpenTenant } from '../../support/open-tenant.js';
import { freshSchema } from '../../support/postgres.js';
import { SentStatements } from '../../support/sent-statements.js';
import { TcpProxy } from '../../support/tcp-proxy.js';
import { waitFor } from '../../support/wait-for.js';

// Every cause is tested on a store in memory (test/unit/runner/explain.spec.ts). Here are those that depend on the server.

const ends = gate();
const ITEMS = 2_000;
const held = defineWorkflow('held')
  .task('only', () => ends.passed)
  .build();
const many = defineWorkflow('many')
  .map(
    'each',
    { items: () => Array.from({ length: ITEMS }, (_, i) => i), concurrency: 5, maxItems: ITEMS },
    () => ends.passed,
  )
  .build();

/** A process that serves no workflow and runs nothing, such as that of a command line. */
let client: OpenTenant;
const schema = freshSchema();
beforeAll(async () => {
  client = await openTenant([], { schema, maxConcurrentTasks: 0, enableRecovery: false });
});
afterAll(() => ends.open());

/** The explanation of the execution once its first task has the cause. */
async function explained(id: string, kind: string): Promise<ExecutionExplanation> {
  let found: ExecutionExplanation | null = null;
  await waitFor(async () => {
    found = await client.runner.explain(id);
    return found?.tasks[0]?.reason.kind === kind;
  });
  return found!;
}

describe('The explanation of an execution, by another process', () => {
  it('tells where it runs, that its process is cut off, and what is missing for its recovery', async () => {
    const proxy = await TcpProxy.start();
    const options = { schema, databaseUrl: proxy.url };
    const worker = await openTenant([held], options);
    const { id } = await worker.runner.start(held);
    const running = await explained(id, 'running');
    const { name, processId } = worker.engine.self.facts;
    expect(running.tasks[0]?.reason).toMatchObject({ process: { name, id: processId } });
    await waitFor(async () => (await explained(id, 'running')).processes.length === 1);
    expect((await explained(id, 'running')).processes).toMatchObject([
      { isThis: false, id: processId, serves: ['held'], state: 'claiming', claimed: 1 },
    ]);
    // The host has vanished: neither lock nor connection is left, and this process recovers nothing.
    await proxy.refuse();
    const lost = await explained(id, 'recovery');
    expect(lost.tasks[0]?.reason).toEqual({
      kind: 'recovery',
      process: { name, id: processId },
      cause: 'lockGone',
    });
    expect(lost.processes).toEqual([]);
    const { id: due } = await client.runner.start('held');
    expect((await explained(due, 'noProcess')).summary).toMatch(
      /^Task "only": It is due, and no living process serves the tenant\./,
    );
  });

  it('tells of a process that lives, and has only lost its control connection', async () => {
    const proxy = await TcpProxy.start();
    const own = freshSchema();
    const worker = await openTenant([held], { schema: own, controlUrl: proxy.url });
    const reader = await openTenant([], { schema: own, maxConcurrentTasks: 0 });
    await waitFor(async () => {
      const rows = await worker.query('SELECT FROM cloacina_process');
      return rows.length === 1;
    });
    await proxy.refuse();
    await waitFor(() => worker.engine.self.announcement === undefined);
    const { id } = await worker.runner.start(held);
    const found = await reader.runner.explain(id);
    expect(found?.tasks[0]).toMatchObject({
      reason: { kind: 'noProcess', processes: [{ serves: ['held'], because: 'away' }] },
      text: expect.stringMatching(/has lost its control connection, so it claims nothing/),
    });
  });

  it('tells of a definition that no process of this release can read', async () => {
    const own = freshSchema();
    const writer = await openTenant([held], { schema: own, claiming: false });
    const { id } = await writer.runner.start(held);
    await writer.close();
    await queryIn(
      own,
      `UPDATE cloacina_workflow_definition SET definition = jsonb_set(definition::jsonb, '{format}', '99')::json`,
    );
    const { runner } = await openTenant([], { schema: own });
    const found = await runner.explain(id);
    expect(found?.tasks).toMatchObject([{ reason: { kind: 'definition' } }]);
    expect(found?.summary).toMatch(/cannot be used: .*format 99/);
  });

  it('counts the items of a large map, with a few statements', async () => {
    const worker = await openTenant([many], { schema: freshSchema(), maxConcurrentTasks: 10 });
    const { id } = await worker.runner.start(many);
    let found: ExecutionExplanation | null = null;
    await waitFor(async () => {
      found = await worker.runner.explain(id);
      const [map] = found?.tasks ?? [];
      return (
        map?.reason.kind === 'items' &&
        map.reason.groups.some(({ kind, count }) => kind === 'running' && count === 5)
      );
    });
    expect(found!.tasks[0]?.reason).toMatchObject({
      total: ITEMS,
      open: ITEMS,
      groups: [
        { kind: 'limit', count: ITEMS - 5 },
        { kind: 'running', count: 5 },
      ],
    });
    expect(found!.tasks).toHaveLength(5);
    const sent = new SentStatements();
    await worker.runner.explain(id);
    const reads = sent.all.filter(({ text }) => text.includes('cloacina_'));
    expect(reads.length).toBeGreaterThan(3);
    expect(reads.length).toBeLessThan(15);
  });
});

it('is an error that says where the database is missing, while it is away', async () => {
  const proxy = await TcpProxy.start();
  const tenant = await openTenant([], { databaseUrl: proxy.url, startTimeoutMs: 200 });
  await proxy.refuse();
  await expect(tenant.runner.explain('01890000-0000-7000-8000-000000000000')).rejects.toMatchObject(
    { code: 'DATABASE_UNAVAILABLE' },
  );
});
