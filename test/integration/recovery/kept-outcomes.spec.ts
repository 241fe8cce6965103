import { beforeAll, describe, expect, it } from '@jest/globals';
import type pg from 'pg';
import type { TaskContext } from '../../../lib/discovery/task-context.js';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import type { WorkflowDefinition } from '../../../lib/discovery/workflow-builder.js';
import { illegalHistories } from '../../faults/workload/legal-history.js';
import { STATEMENTS } from '../../faults/workload/failpoints.js';
import { openTenant, type OpenTenant } from '../../support/open-tenant.js';
import { cutOff, whileCommitting } from './committing.js';
import { StatementFaults } from './statement-faults.js';

const TIMES = 3;
const ONCE = { maxAttempts: 1 } as const;

async function writeEffect({ manager, idempotencyKey }: TaskContext): Promise<void> {
  await manager.query('INSERT INTO effect VALUES ($1)', [idempotencyKey]);
}

const plain = defineWorkflow('plain')
  .task('first', { retry: ONCE }, () => ({ first: 1 }))
  .task('second', { dependsOn: ['first'], retry: ONCE }, () => ({ second: 2 }))
  .build();
const failing = defineWorkflow('failing')
  .task('only', { retry: ONCE }, () => {
    throw new Error('on purpose');
  })
  .build();
const flaky = defineWorkflow('flaky')
  .task('only', { retry: { maxAttempts: 2, delay: 1 } }, ({ attempt }) => {
    if (attempt === 1) throw new Error('once, on purpose');
  })
  .build();
const transactional = defineWorkflow('transactional')
  .task('only', { transactional: true, retry: ONCE }, writeEffect)
  .task('after', { dependsOn: ['only'], retry: ONCE }, () => undefined)
  .build();
const runs: string[] = [];
const committing = (
  name: string,
  commit: (send: () => Promise<unknown>, client: pg.Client) => Promise<unknown>,
) =>
  defineWorkflow(name)
    .task('only', { transactional: true, retry: ONCE }, async (context) => {
      await writeEffect(context);
      runs.push(context.executionId);
      if (runs.filter((id) => id === context.executionId).length === 1)
        whileCommitting(context.manager, commit);
    })
    .task('after', { dependsOn: ['only'], retry: ONCE }, () => undefined)
    .build();

const replyLost = committing('replyLost', async (send, client) => {
  await send();
  throw cutOff(client);
});
const notSent = committing('notSent', (_, client) => Promise.reject(cutOff(client)));
const violating = defineWorkflow('violating')
  .task('only', { transactional: true, retry: { maxAttempts: 2, delay: 1 } }, async (context) => {
    await writeEffect(context);
    if (context.attempt === 1) await context.manager.query("INSERT INTO part VALUES ('none')");
  })
  .build();

const ALL = [plain, failing, flaky, transactional, replyLost, notSent, violating];

let one: OpenTenant;
let faults: StatementFaults;
beforeAll(async () => {
  one = await openTenant(ALL, { claiming: false });
  await one.query(
    `CREATE TABLE effect (key text PRIMARY KEY);
     CREATE TABLE part (of text REFERENCES effect (key) DEFERRABLE INITIALLY DEFERRED)`,
  );
  faults = await StatementFaults.install(one.schema);
  await one.host.startClaiming();
});

/** How many effects the execution with this id has left. */
async function effectsOf(id: string): Promise<number> {
  return (await one.query('SELECT FROM effect WHERE starts_with(key, $1)', [id])).length;
}

/** Attempts that were recorded, for each task. */
async function outcomeOf(workflow: WorkflowDefinition): Promise<[string, number[]]> {
  const { id, status, tasks } = await one.runner.execute(
    workflow,
    {},
    { timeout: '60s', settled: true },
  );
  if (workflow === transactional) expect(await effectsOf(id)).toBe(1);
  return [status, tasks.map(({ attempts }) => attempts.length)];
}

describe.each([
  ['a statement timeout or a cancelled statement', '57014'],
  ['a full disk', '53100'],
  ['a lack of memory', '53200'],
  ['an I/O error', '58030'],
  ['a code that is not known', 'ZZ001'],
])('An outcome that meets %s', (_, code) => {
  it('is recorded when that has passed, at no cost of an attempt', async () => {
    await faults.plan(STATEMENTS.complete, code, TIMES);
    expect(await outcomeOf(plain)).toEqual(['Completed', [1, 1]]);
    await faults.plan(STATEMENTS.complete, code, TIMES);
    expect(await outcomeOf(failing)).toEqual(['Failed', [1]]);
    await faults.plan(STATEMENTS.reschedule, code, TIMES);
    expect(await outcomeOf(flaky)).toEqual(['Completed', [2]]);
    await faults.plan(STATEMENTS.complete, code, TIMES);
    expect(await outcomeOf(transactional)).toEqual(['Completed', [1, 1]]);
    expect(await faults.raised()).toBe(TIMES);
    expect(await one.query('SELECT FROM cloacina_recovery_event')).toEqual([]);
    expect(await illegalHistories(one.query)).toEqual([]);
  });
});

describe('A transactional task', () => {
  it('whose COMMIT stands, though its reply was lost, does not run again', async () => {
    const { id, status, tasks } = await one.runner.execute(replyLost, {}, { timeout: '60s' });
    expect([status, tasks.map(({ attempts }) => attempts.length)]).toEqual(['Completed', [1, 1]]);
    expect(runs.filter((run) => run === id)).toHaveLength(1);
    expect(await one.query('SELECT FROM cloacina_recovery_event')).toEqual([]);
    expect(await illegalHistories(one.query)).toEqual([]);
  });

  it('whose COMMIT was not executed runs again, at no cost of an attempt', async () => {
    const { id, status, tasks } = await one.runner.execute(notSent, {}, { timeout: '60s' });
    expect([status, tasks.map(({ attempts }) => attempts.length)]).toEqual(['Completed', [1, 1]]);
    expect(runs.filter((run) => run === id)).toHaveLength(2);
    expect(await effectsOf(id)).toBe(1);
    expect(await illegalHistories(one.query)).toEqual([]);
  });

  it('whose own writes are refused at the COMMIT has failed an attempt', async () => {
    const { id, status, tasks } = await one.runner.execute(
      violating,
      {},
      { timeout: '60s', settled: true },
    );
    expect([status, tasks[0]?.attempts.length]).toEqual(['Completed', 2]);
    expect(tasks[0]?.attempts[0]?.error?.code).toBe('23503');
    expect(await effectsOf(id)).toBe(1);
  });
});
