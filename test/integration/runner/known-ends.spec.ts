import { beforeAll, describe, expect, it } from '@jest/globals';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import { contextValue, type ExecutionResult } from '../../../lib/index.js';
import { gate } from '../../support/gate.js';
import {
  type OpenTenant,
  openTenant,
  processEngineOf,
  stopRounds,
} from '../../support/open-tenant.js';
import { freshSchema } from '../../support/postgres.js';
import { isOwnLook } from '../../support/sent-statements.js';
import { statementsOf } from '../migrations/statements-of.js';

const single = defineWorkflow('single')
  .task('only', () => ({ sum: 3 }))
  .build();
const chain = defineWorkflow('chain')
  .task('first', () => ({ a: 1, gone: true }))
  .task('second', { dependsOn: ['first'] }, (context) => {
    context.delete('gone');
    return { b: [2, { deep: null }] };
  })
  .task('third', { dependsOn: ['second'], transactional: true }, () => ({ a: 'again' }))
  .build();
const skipping = defineWorkflow('skipping')
  .task('root', () => ({ go: false }))
  .task('left', { dependsOn: ['root'], when: contextValue('go', 'equals', true) }, () => undefined)
  .task('right', { dependsOn: ['root'] }, () => ({ right: 1 }))
  .task('other', () => ({ other: 2 }))
  .build();
const large = defineWorkflow('large')
  .task('only', () => ({ text: 'x'.repeat(20_000) }))
  .build();
const retried = gate();
/** The second task keeps the execution in memory between the attempts of the first one. */
const flaky = defineWorkflow('flaky')
  .task('fails once', { retry: { delay: 1, jitter: false } }, (context) => {
    if (context.attempt === 1) throw new Error('once');
    retried.open();
    return { done: true };
  })
  .task('beside', () => retried.passed)
  .build();
/** Its last attempt is the first one again, because the step is progress. */
const stepping = defineWorkflow('stepping')
  .task('steps', { retry: { maxAttempts: 2, delay: 1, jitter: false } }, async (context) => {
    if (failuresOf.stepping++ === 0) throw new Error('before it');
    await context.step('once', () => 1);
    if (failuresOf.stepping++ === 1) throw new Error('behind it');
  })
  .build();
const failuresOf = { stepping: 0 };
const failing = defineWorkflow('failing')
  .task('only', { retry: { maxAttempts: 1 } }, () => {
    throw new Error('no');
  })
  .build();
const held = { begun: gate(), free: gate() };
const holding = defineWorkflow('holding')
  .task('runs', async () => {
    held.begun.open();
    await held.free.passed;
  })
  .build();

let tenant: OpenTenant;
beforeAll(async () => {
  tenant = await openTenant([single, chain, skipping, large, flaky, stepping, failing, holding]);
  stopRounds(tenant);
});

const TABLES = /cloacina_(?:workflow|task)_execution/;

/** A process looks for work of other processes, and, after it has named one for work, whether that has taken it. */
const CLAIMS = /WITH RECURSIVE|SKIP LOCKED[^]*claim_token|ORDER BY t\.run_at LIMIT 1/;

/**
 * The statements of a process on executions and tasks. Leases and notifications have their own times.
 *
 * @param of - default: the shared tenant's process
 */
async function workStatements(run: () => Promise<unknown>, of = tenant): Promise<string[]> {
  const { processId } = processEngineOf(of);
  const statements = await statementsOf(run, processId);
  return statements.filter((text) => TABLES.test(text) && !CLAIMS.test(text) && !isOwnLook(text));
}

/** Of executions with their tasks. */
function isRead(text: string): boolean {
  return text.includes('UNION ALL') && text.includes('AS "isOrphaned"');
}

function plain(result: ExecutionResult<object>): object {
  return { ...result };
}

describe('A result whose end this process recorded', () => {
  it.each([
    [single, 2],
    [chain, 4],
  ])('takes no statement beside the start and the outcomes', async (workflow, count) => {
    const statements = await workStatements(() => tenant.runner.execute(workflow));
    // The first words tell which one is too many.
    const begins = statements.map((text) => text.slice(0, 100));
    expect(begins).toHaveLength(count);
  });

  it('takes no statement either if the wait begins after the start', async () => {
    const { runner } = tenant;
    const statements = await workStatements(async () => {
      const handle = await runner.start(single);
      await handle.result();
    });
    expect(statements).toHaveLength(2);
  });

  it.each([
    ['one task', single, {}],
    ['outputs, a deleted key, a transaction', chain, { input: 1, a: 0 }],
    ['a skipped task, and three leaves', skipping, {}],
    ['a context that is too large to be stored', large, { in: 'put' }],
  ])('is what get() returns: %s', async (_, workflow, input) => {
    const { runner } = tenant;
    let result: ExecutionResult<object> | undefined;
    const statements = await workStatements(async () => {
      result = await runner.execute(workflow, input, {
        tags: { b: '1', a: '2' },
        idempotencyKey: workflow.name,
      });
    });
    expect(statements.filter(isRead)).toEqual([]);
    expect(plain(result!)).toStrictEqual(await runner.get(result!.id));
  });

  it('is read of a task whose failed attempts a step has taken off its row', async () => {
    const { runner } = tenant;
    const result = await runner.execute(stepping);
    const execution = await runner.get(result.id);
    // The steps are the only difference: a result does not list them.
    const tasks = execution?.tasks.map(({ steps: _, ...task }) => task);
    expect(plain(result)).toStrictEqual({ ...execution, tasks });
    expect(result.tasks[0]?.attempts).toHaveLength(2);
  });

  it('needs no read of an execution that the process claimed after its start', async () => {
    const slot = await openTenant([single, holding], { maxConcurrentTasks: 1 });
    stopRounds(slot);
    const { runner } = slot;
    const results: ExecutionResult<object>[] = [];
    const statements = await workStatements(async () => {
      const calls = Array.from({ length: 500 }, () =>
        runner.execute(single, {}, { tags: { n: 'x' } }),
      );
      results.push(...(await Promise.all(calls)));
    }, slot);
    expect(slot.engine.settings.maxConcurrentTasks).toBe(1);
    expect(statements.filter((text) => text.includes('has_waiters)')).length).toBeGreaterThan(0);
    expect(statements.filter(isRead)).toEqual([]);
    for (const result of [results[0]!, results.at(-1)!]) {
      expect(plain(result)).toStrictEqual(await runner.get(result.id));
    }
  });

  it('is an object of its own for each caller', async () => {
    const { runner } = tenant;
    const handle = await runner.start(holding);
    await held.begun.passed;
    const both = Promise.all([handle.result(), handle.result()]);
    held.free.open();
    const [one, other] = await both;
    expect(plain(one)).toStrictEqual(plain(other));
    one.tasks.length = 0;
    expect(other.tasks).toHaveLength(1);
  });
});

describe('A result that memory does not have all of', () => {
  it.each([
    ['a retry', flaky, 'Completed'],
    ['a failure', failing, 'Failed'],
  ])('is read after %s', async (_, workflow, status) => {
    const { runner } = tenant;
    const result = await runner.execute(workflow, {}, { settled: true });
    expect(result.status).toBe(status);
    expect(result.tasks[0]?.attempts[0]?.error).toBeDefined();
    expect(plain(result)).toStrictEqual(await runner.get(result.id));
  });

  it('is read after a pause that a task outlasted', async () => {
    const begun = gate();
    const free = gate();
    const pausable = defineWorkflow('pausable')
      .task('runs', async () => {
        begun.open();
        await free.passed;
      })
      .build();
    const { runner } = await openTenant([pausable]);
    const execution = runner.execute(pausable);
    await begun.passed;
    const [{ id } = { id: '' }] = (await runner.list({ workflow: pausable })).items;
    await runner.pause(id, { reason: 'lunch' });
    free.open();
    const result = await execution;
    expect(result).toMatchObject({ status: 'Completed', reason: 'lunch' });
    expect(plain(result)).toStrictEqual(await runner.get(id));
  });

  it('is read when the wait began after a task had ended', async () => {
    const begun = gate();
    const free = gate();
    const late = defineWorkflow('late')
      .task('first', () => undefined)
      .task('second', { dependsOn: ['first'] }, async () => {
        begun.open();
        await free.passed;
      })
      .build();
    const { runner } = await openTenant([late]);
    const handle = await runner.start(late);
    await begun.passed;
    const result = handle.result();
    free.open();
    expect(plain(await result)).toStrictEqual(await runner.get(handle.id));
  });

  it('is read after a manual retry, with the tasks of both runs', async () => {
    let fails = true;
    const twice = defineWorkflow('twice')
      .task('kept', () => ({ kept: 1 }))
      .task('again', { dependsOn: ['kept'], retry: { maxAttempts: 1 } }, () => {
        if (fails) throw new Error('no');
      })
      .build();
    const { runner } = await openTenant([twice]);
    const first = await runner.execute(twice, {}, { settled: true });
    expect(first.status).toBe('Failed');
    fails = false;
    await runner.retry(first.id);
    const second = await runner.handle(first.id).result();
    expect(second.status).toBe('Completed');
    expect(plain(second)).toStrictEqual(await runner.get(first.id));
  });
});

describe('A result whose end another process recorded', () => {
  it('takes one statement beside the start, and is what get() returns', async () => {
    const schema = freshSchema();
    const caller = await openTenant([single, chain], { schema, maxConcurrentTasks: 0 });
    const worker = await openTenant([single, chain], { schema });
    for (const one of [caller, worker]) stopRounds(one);
    for (const workflow of [single, chain]) {
      let result: ExecutionResult<object> | undefined;
      const statements = await workStatements(async () => {
        result = await caller.runner.execute(workflow, {}, { tags: { a: 'b' } });
      }, caller);
      expect(statements.map(isRead)).toEqual([false, true]);
      expect(plain(result!)).toStrictEqual(await caller.runner.get(result!.id));
    }
  });
});
