import { beforeAll, describe, expect, it } from '@jest/globals';
import { defineSignal } from '../../../lib/discovery/message-definitions.js';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import { type OpenTenant, openTenant } from '../../support/open-tenant.js';
import { freshSchema } from '../../support/postgres.js';
import { runCli } from '../../support/run-cli.js';
import { waitFor } from '../../support/wait-for.js';

let isCarrierUp = false;
const ship = defineWorkflow<{ orderId: number; parcel?: string }>('ship')
  .task('pack', () => ({ parcel: 'p-1' }))
  .task('hand-over', { dependsOn: ['pack'], retry: { maxAttempts: 1 } }, () => {
    if (!isCarrierUp) throw new Error('the carrier\u001b[31m is down');
  })
  .build();
const decision = defineSignal<{ by: string }>('decision');
const approval = defineWorkflow<{ decision?: { by: string } }>('approval')
  .task('ask', async (context) => ({ decision: await context.waitFor(decision) }))
  .build();
const NO_ONE = '0190d5a0-0000-7000-8000-000000000000';

/** The running application. */
let app: OpenTenant;
beforeAll(async () => {
  app = await openTenant([ship, approval], { schema: freshSchema('cli') });
});

const run = (...args: string[]) => runCli(['executions', ...args]);
const ended = (id: string) => app.runner.handle(id).result({ settled: true });

interface Item {
  id: string;
  workflow: string;
  status: string;
  error?: { message: string };
}

describe('A failure from start to mend', () => {
  let id = '';

  it('start: stores an execution that the application runs', async () => {
    const input = ['--input', '{"orderId":17}', '--key', 'order 17', '--tag', 'customer=acme'];
    const started = await run('start', 'ship', ...input, '--json');
    expect(started).toMatchObject({ code: 0, stderr: '' });
    const document = started.json<{ id: string }>();
    expect(document).toEqual({ id: expect.any(String), workflow: 'ship', created: true });
    id = document.id;
    expect((await ended(id)).context).toMatchObject({ orderId: 17, parcel: 'p-1' });
  });

  it('start: a key that is taken starts nothing', async () => {
    const { code, stdout } = await run('start', 'ship', '--key', 'order 17');
    expect(code).toBe(0);
    expect(stdout).toBe(`Execution ${id} of workflow "ship" has this key already.\n`);
  });

  it('list: filters, and shows why, without control characters', async () => {
    const { code, stdout } = await run(
      'list',
      '--status',
      'Failed',
      '--workflow',
      'ship',
      '--since',
      '1h',
    );
    expect(code).toBe(0);
    expect(stdout).toMatch(
      new RegExp(`^${id} +ship +Failed .* Error: the carrier \\[31m is down$`, 'm'),
    );
    const json = await run('list', '--tag', 'customer=acme', '--key', 'order 17', '--json');
    expect(json.json()).toEqual({
      items: [expect.objectContaining({ id, workflow: 'ship', status: 'Failed' })],
      nextCursor: null,
    });
    const none = await run('list', '--status', 'Completed', 'Cancelled', '--until', '2000-01-01');
    expect(none).toMatchObject({ code: 0, stdout: 'No executions.\n' });
  });

  it('list: has colors on a terminal only, and none with --no-color', async () => {
    const args = ['executions', 'list', '--status', 'Failed'];
    const colored = await runCli(args, { isColored: true });
    expect(colored.stdout).toContain('\u001b[31mFailed\u001b[39m');
    const plain = await runCli([...args, '--no-color'], { isColored: true });
    expect(plain.stdout).not.toContain('\u001b');
  });

  it('list: goes on with the cursor', async () => {
    await run('start', 'approval');
    const first = (await run('list', '--limit', '1', '--json')).json<{
      items: Item[];
      nextCursor: string;
    }>();
    const second = (
      await run('list', '--limit', '1', '--cursor', first.nextCursor, '--json')
    ).json<{
      items: Item[];
    }>();
    expect([...first.items, ...second.items].map(({ workflow }) => workflow)).toEqual([
      'approval',
      'ship',
    ]);
  });

  it('show: the tasks, the attempts and the history', async () => {
    const { code, stdout } = await run('show', id, '--history');
    expect(code).toBe(0);
    expect(stdout).toMatch(/^status +Failed$/m);
    expect(stdout).toMatch(/^tags +\{"customer":"acme"\}$/m);
    expect(stdout).toMatch(/^pack +task +Completed/m);
    expect(stdout).toMatch(/^hand-over +task +Failed .*the carrier \[31m is down$/m);
    expect(stdout).toMatch(/execution\.created/);
    expect(stdout).not.toContain('"stack"');
    expect(stdout).not.toContain('\u001b');
    const json = await run('show', id, '--json');
    expect(json.json()).toEqual({ execution: expect.objectContaining({ id, status: 'Failed' }) });
  });

  it('retry: runs it again, when the cause is mended', async () => {
    isCarrierUp = true;
    const { code, stdout } = await run('retry', id);
    expect(code).toBe(0);
    expect(stdout).toMatch(new RegExp(`^Retrying ${id}: \\w+\\.\n$`));
    await waitFor(async () => (await app.runner.get(id))?.status === 'Completed');
  });

  it('retry: refuses what is not ended with a failure, and goes on with the others', async () => {
    const { code, stderr, stdout } = await run('retry', id, NO_ONE, '--json');
    expect(code).toBe(1);
    const { executions } = JSON.parse(stdout) as { executions: object[] };
    expect(executions).toEqual([
      { id, error: { code: 'INVALID_TRANSITION', message: expect.any(String) } },
      { id: NO_ONE, error: { code: 'UNKNOWN_EXECUTION', message: expect.any(String) } },
    ]);
    expect(stderr.trim().split('\n')).toHaveLength(2);
  });
});

describe('explain', () => {
  it('says what an execution waits for, and which processes serve it', async () => {
    const { id } = (await run('start', 'approval', '--json')).json<{ id: string }>();
    await waitFor(async () => (await app.runner.get(id))?.waitingFor?.reason === 'signal');
    const { code, stdout, stderr } = await run('explain', id);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(new RegExp(`^approval ${id}: Running\n.+"?decision"?`));
    expect(stdout).toMatch(/^ask +Waiting +1 +.*decision/m);
    expect(stdout).toMatch(/^\S+ +claiming +\d+ of 10 .* approval, .*ship/m);
    const json = await run('explain', id, '--json');
    expect(json.json()).toMatchObject({
      executionId: id,
      status: 'Running',
      summary: expect.any(String),
      tasks: [{ task: 'ask', reason: { kind: 'signal', signal: 'decision' } }],
    });
  });

  it('says of an ended one that it has ended', async () => {
    const { items } = (await run('list', '--workflow', 'ship', '--json')).json<{ items: Item[] }>();
    const { code, stdout } = await run('explain', items[0]?.id ?? '');
    expect(code).toBe(0);
    expect(stdout).toMatch(/^ship \S+: (Completed|Failed)\n\S/);
  });
});

describe('signal and cancel', () => {
  const waiting = async (): Promise<string> => {
    const { id } = (await run('start', 'approval', '--json')).json<{ id: string }>();
    await waitFor(async () => (await app.runner.get(id))?.waitingFor?.reason === 'signal');
    return id;
  };

  it('signal: is taken by the waiting task', async () => {
    const id = await waiting();
    const { code, stdout } = await runCli(
      ['executions', 'signal', id, 'decision', '--payload', '-'],
      { stdin: '{"by":"ada"}' },
    );
    expect({ code, stdout }).toEqual({
      code: 0,
      stdout: `Sent signal "decision" to execution ${id}.\n`,
    });
    expect((await ended(id)).context).toEqual({ decision: { by: 'ada' } });
    const late = await run('signal', id, 'decision', '--json');
    expect(late.code).toBe(1);
    expect(late.json()).toEqual({
      error: { code: 'INVALID_TRANSITION', message: expect.stringContaining('not ended') },
    });
  });

  it('cancel: with a reason', async () => {
    const id = await waiting();
    const { code, json } = await run('cancel', id, '--reason', 'not needed', '--yes', '--json');
    expect(code).toBe(0);
    expect(json()).toEqual({ executions: [{ id, status: 'Cancelled' }] });
    expect((await app.runner.get(id))?.reason).toBe('not needed');
  });
});

it.each([
  [['show', NO_ONE], 'has no execution'],
  [['explain', NO_ONE], 'has no execution'],
  [['show', 'seventeen'], 'has no execution seventeen'],
  [['start', 'shipp'], 'Did you mean "ship"?'],
  [['signal', NO_ONE, 'decision'], NO_ONE],
])('%s: exit code 1 and a sentence', async (args, sentence) => {
  const { code, stdout, stderr } = await run(...args);
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
  expect(stderr).toContain(sentence);
  expect(stderr.trim().split('\n')).toHaveLength(1);
});

it('claims nothing, and leaves no lease behind', async () => {
  const sleeping = await openTenant([ship], { schema: freshSchema('asleep'), claiming: false });
  // It stores the definition.
  await sleeping.runner.start(ship);
  // Every process has the code of this workflow, also the command line.
  await sleeping.runner.schedules.create('hourly', ship, { every: '1h' });
  const from = new Date(Date.now() - 86_400_000);
  const { id: backfill } = await sleeping.runner.schedules.backfill('hourly', {
    from,
    to: new Date(),
    background: true,
  });
  const { id } = (
    await runCli(['executions', 'start', 'ship', '--schema', sleeping.schema, '--json'])
  ).json<{ id: string }>();
  await runCli(['executions', 'list', '--schema', sleeping.schema]);
  const tasks = await sleeping.query<{ status: string; claim_token: string }>(
    'SELECT status, claim_token FROM cloacina_task_execution WHERE execution_id = $1 ORDER BY task_no',
    [id],
  );
  expect(tasks).toEqual([
    { status: 'Ready', claim_token: '0' },
    { status: 'NotStarted', claim_token: '0' },
  ]);
  expect((await sleeping.runner.get(backfill))?.status).toBe('Pending');
  expect(await sleeping.query('SELECT FROM cloacina_runner_lease')).toEqual([]);
});
