import { beforeAll, describe, expect, it } from '@jest/globals';
import type pg from 'pg';
import type { TaskContext } from '../../../lib/discovery/task-context.js';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import type { WorkflowDefinition } from '../../../lib/discovery/workflow-builder.js';
import { STATEMENTS } from '../../faults/workload/failpoints.js';
import { openTenant, type OpenTenant } from '../../support/open-tenant.js';
import { cutOff, whileCommitting } from './committing.js';
import { StatementFaults } from './statement-faults.js';

/** Transactional steps whose statements of the library fail, in tasks with a single attempt. */

const TIMES = 3;
const ONCE = { maxAttempts: 1 } as const;

/** How often the work of each execution has run. */
const works = new Map<string, number>();

type Commit = (send: () => Promise<unknown>, client: pg.Client) => Promise<unknown>;

/** Writes a row, and the first time has the connection do something else than commit. */
function writing(context: TaskContext, commit?: Commit): Promise<unknown> {
  return context.step('write', { transactional: true }, async (manager) => {
    const runs = (works.get(context.executionId) ?? 0) + 1;
    works.set(context.executionId, runs);
    await manager.query('INSERT INTO effect VALUES ($1)', [context.executionId]);
    if (commit !== undefined && runs === 1) whileCommitting(manager, commit);
    return runs;
  });
}
const workflowOf = (name: string, commit?: Commit) =>
  defineWorkflow(name)
    .task('only', { retry: ONCE }, async (context) => ({ run: await writing(context, commit) }))
    .build();

const plain = workflowOf('plain');
const catching = defineWorkflow('catching')
  .task('only', { retry: ONCE }, async (context) => {
    const run = await writing(context).catch(() => 'caught');
    return { run };
  })
  .build();
const replyLost = workflowOf('replyLost', async (send, client) => {
  await send();
  throw cutOff(client);
});
const notSent = workflowOf('notSent', (_, client) => Promise.reject(cutOff(client)));
const violating = defineWorkflow('violating')
  .task('only', { retry: { maxAttempts: 2, delay: 1 } }, async (context) => {
    await context.step('write', { transactional: true }, async (manager) => {
      await manager.query('INSERT INTO effect VALUES ($1)', [context.executionId]);
      if (context.attempt === 1) await manager.query("INSERT INTO part VALUES ('none')");
    });
  })
  .build();

let one: OpenTenant;
let faults: StatementFaults;
beforeAll(async () => {
  one = await openTenant([plain, catching, replyLost, notSent, violating], { claiming: false });
  await one.query(
    `CREATE TABLE effect (key text PRIMARY KEY);
     CREATE TABLE part (of text REFERENCES effect (key) DEFERRABLE INITIALLY DEFERRED)`,
  );
  faults = await StatementFaults.install(one.schema);
  await one.host.startClaiming();
});

async function outcomeOf(workflow: WorkflowDefinition) {
  const options = { timeout: '60s', settled: true } as const;
  const { id, status, tasks, context } = await one.runner.execute(workflow, {}, options);
  const effects = await one.query('SELECT FROM effect WHERE key = $1', [id]);
  const attempts = tasks.map((task) => task.attempts.length);
  return { status, attempts, effects: effects.length, works: works.get(id), context };
}

describe.each([
  ['a statement timeout or a cancelled statement', '57014'],
  ['a full disk', '53100'],
  ['a lack of memory', '53200'],
  ['a deadlock', '40P01'],
  ['a code that is not known', 'ZZ001'],
])('A transactional step whose record meets %s', (_, code) => {
  it.each([
    ['lets its error through', plain],
    ['catches its error', catching],
  ])('runs again, at no cost of an attempt, in a handler that %s', async (_how, workflow) => {
    await faults.plan(STATEMENTS.recordSteps, code, TIMES);
    expect(await outcomeOf(workflow)).toEqual({
      status: 'Completed',
      attempts: [1],
      effects: 1,
      works: TIMES + 1,
      context: { run: TIMES + 1 },
    });
    expect(await faults.raised()).toBe(TIMES);
  });
});

describe('A transactional step', () => {
  it('whose COMMIT stands, though its reply was lost, does not run again', async () => {
    expect(await outcomeOf(replyLost)).toMatchObject({
      status: 'Completed',
      attempts: [1],
      effects: 1,
      works: 1,
    });
  });

  it('whose COMMIT was not executed runs again, at no cost of an attempt', async () => {
    expect(await outcomeOf(notSent)).toMatchObject({
      status: 'Completed',
      attempts: [1],
      effects: 1,
      works: 2,
    });
  });

  it('whose own writes are refused at the COMMIT has failed an attempt', async () => {
    const outcome = await outcomeOf(violating);
    expect(outcome).toMatchObject({ status: 'Completed', attempts: [2], effects: 1 });
  });
});
