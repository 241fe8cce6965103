import { afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import type { SettledChild } from '../../../lib/discovery/task-context/child-options.js';
import {
  ChildCancelledError,
  ChildFailedError,
  ChildMissingError,
} from '../../../lib/errors/index.js';
import type { ExecutionTree } from '../../../lib/runner/execution-tree.js';
import { gate } from '../../support/gate.js';
import { type OpenTenant, openTenant } from '../../support/open-tenant.js';
import { freshSchema } from '../../support/postgres.js';
import { waitFor } from '../../support/wait-for.js';

const once = { retry: { maxAttempts: 1 } } as const;
let runs: string[] = [];
let broken = false;
let open = gate();
let handled: unknown;

const double = defineWorkflow<{ n: number }>('double')
  .task('double', once, async (context) => {
    runs.push(`double ${context.get('n')}`);
    if (broken) throw new Error(`no double of ${context.get('n')}`);
    return { doubled: 2 * context.get('n') };
  })
  .build();
const held = defineWorkflow<{ n?: number }>('held')
  .task('first', () => ({ first: true }))
  .task('hold', { dependsOn: ['first'] }, async ({ signal }) => {
    runs.push('hold');
    await Promise.race([
      open.passed,
      new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
    ]);
    return { held: true };
  })
  .build();
const parent = defineWorkflow<{ n: number }>('parent')
  .task('ask', once, async (context) => {
    runs.push('ask');
    const { doubled } = await context.execute(double, { n: context.get('n') });
    runs.push('asked');
    return { answer: doubled };
  })
  .build();
const waiting = defineWorkflow('waiting')
  .task('wait', once, async (context) => {
    const { held: was } = await context.execute(held, {});
    return { was };
  })
  .build();
const many = defineWorkflow<{ count: number }>('many')
  .task('all', once, async (context) => {
    runs.push('all');
    const calls = Array.from({ length: context.get('count') }, (_, n) => [double, { n }] as const);
    const results = await context.executeAll(calls);
    return { sum: results.reduce((sum, { doubled }) => sum + doubled, 0) };
  })
  .build();
const settling = defineWorkflow<{ n: number }>('settling')
  .task('settle', once, async (context) => {
    const child: SettledChild = await context.execute(
      double,
      { n: context.get('n') },
      { settled: true },
    );
    return { child };
  })
  .build();
const catching = defineWorkflow<{ n: number }>('catching')
  .task('catch', once, async (context) => {
    try {
      await context.execute(double, { n: context.get('n') });
    } catch (error) {
      if (context.suspending) throw error;
      handled = error;
    }
  })
  .build();
const leaving = defineWorkflow<{ end?: 'abandon' | 'cancel'; fail?: boolean }>('leaving')
  .task('leave', once, async (context) => {
    const onParentEnd = context.get('end') ?? 'cancel';
    const { id } = await context.start(held, {}, { onParentEnd });
    const again = await context.start(held, {}, { name: 'second', onParentEnd });
    await open.passed;
    if (context.get('fail') === true) throw new Error('on purpose');
    return { ids: [id, again.id] };
  })
  .build();
const recursive = defineWorkflow('recursive')
  .task('down', once, async (context) => {
    await context.execute('recursive', {});
  })
  .build();
const keyed = defineWorkflow<{ n: number; key: string }>('keyed')
  .task('ask', once, async (context) => {
    const options = { idempotencyKey: context.get('key') };
    const { doubled } = await context.execute(double, { n: context.get('n') }, options);
    return { doubled };
  })
  .build();
const transactional = defineWorkflow<{ fail?: boolean; key?: string }>('transactional')
  .task('write', { transactional: true, ...once }, async (context) => {
    const key = context.get('key');
    const { id } = await context.start(
      double,
      { n: 4 },
      key === undefined ? {} : { idempotencyKey: key },
    );
    if (context.get('fail') === true) throw new Error(id);
    return { id };
  })
  .build();

let severalBroken = true;
const part = defineWorkflow<{ n: number }>('part')
  .task('part', once, (context) => {
    runs.push(`part ${context.get('n')}`);
    if (severalBroken && context.get('n') === 2) throw new Error('on purpose');
    return { value: context.get('n') };
  })
  .build();
const several = defineWorkflow('several')
  .task('sum', once, async (context) => {
    const [a, b] = await context.executeAll([
      [part, { n: 1 }],
      [part, { n: 2 }],
    ]);
    return { sum: a.value + b.value };
  })
  .build();
const waitingInTransaction = defineWorkflow<{ n: number }>('waiting-in-transaction')
  .task('write', { transactional: true, ...once }, async (context) => {
    await context.manager.query('INSERT INTO written VALUES ($1)', [context.get('n')]);
    const { doubled } = await context.execute(double, { n: context.get('n') });
    await context.manager.query('UPDATE written SET n = $1', [doubled]);
    return { doubled };
  })
  .build();
const impatient = defineWorkflow('impatient', { timeout: 200 })
  .task('wait', once, async (context) => {
    await context.execute(waiting);
  })
  .build();
const grand = defineWorkflow('grand')
  .task('wait', once, async (context) => {
    await context.execute(waiting);
  })
  .build();

const mutual = defineWorkflow<{ other: string }>('mutual')
  .task('wait', once, async (context) => {
    await open.passed;
    await context.execute('mutual', {}, { idempotencyKey: context.get('other') });
  })
  .build();
const trying = defineWorkflow('trying')
  .task('try', { retry: { maxAttempts: 2, delay: 1 } }, async (context) => {
    runs.push('try');
    if (runs.length === 1) throw new Error('before');
    await context.start(double, { n: 1 });
    if (runs.filter((run) => run === 'try').length === 2) throw new Error('after');
  })
  .build();

const workflows = [
  mutual,
  trying,
  impatient,
  waitingInTransaction,
  part,
  several,
  grand,
  double,
  held,
  parent,
  waiting,
  many,
  settling,
  catching,
  leaving,
  recursive,
  keyed,
  transactional,
];
let one: OpenTenant;
let two: OpenTenant;
beforeAll(async () => {
  one = await openTenant(workflows);
  two = await openTenant(workflows, { schema: one.schema });
  await one.query('CREATE TABLE written (n integer)');
});
beforeEach(() => {
  [runs, broken, open, handled] = [[], false, gate(), undefined];
});
afterEach(() => open.open());

async function until<T>(
  look: () => Promise<T>,
  holds: (value: T) => boolean,
  what: string,
): Promise<T> {
  const found = await waitFor(
    async () => {
      const value = await look();
      return holds(value) ? { value } : undefined;
    },
    { what },
  );
  return found.value;
}
const childrenOf = async (id: string): Promise<string[]> =>
  (await one.runner.list({ parent: id })).items.map((item) => item.id);
async function oneChildOf(id: string): Promise<string> {
  const [child] = await until(
    () => childrenOf(id),
    (ids) => ids.length > 0,
    'the child',
  );
  return child!;
}
const settled = (): Promise<object[]> =>
  until(
    () =>
      one.query(
        'SELECT FROM cloacina_workflow_execution WHERE unsettled <> 0 AND completed_at IS NOT NULL',
      ),
    (rows) => rows.length === 0,
    'settled ends',
  );

describe('context.execute()', () => {
  it('returns the context of the child, and runs the handler again from its beginning', async () => {
    const { context, id } = await one.runner.execute(parent, { n: 3 });
    expect(context).toMatchObject({ answer: 6 });
    expect(runs).toEqual(['ask', 'double 3', 'ask', 'asked']);
    const child = await one.runner.get(await oneChildOf(id));
    expect(child).toMatchObject({
      status: 'Completed',
      parent: { id, step: 'double', root: id },
    });
    await settled();
    expect(await one.runner.history(id)).toContainEqual({
      type: 'task.child',
      at: expect.any(Date),
      task: 'ask',
      step: 'double',
      child: child?.id,
      status: 'Completed',
      endedAt: expect.any(Date),
    });
  });

  it('inherits priority and tags unless they are given', async () => {
    const options = { priority: 7, tags: { customer: '4711' } };
    const { id } = await one.runner.execute(parent, { n: 1 }, options);
    const [row] = await one.query<{ priority: number; tags: object; depth: number }>(
      'SELECT priority, tags, depth FROM cloacina_workflow_execution WHERE parent_execution_id = $1',
      [id],
    );
    expect(row).toEqual({ priority: 7, tags: { customer: '4711' }, depth: 1 });
  });

  it('throws the final error of a child that failed, with the stored error as its cause', async () => {
    broken = true;
    const { id } = await one.runner.execute(catching, { n: 5 });
    expect(handled).toBeInstanceOf(ChildFailedError);
    expect(handled).toMatchObject({
      code: 'CHILD_FAILED',
      childId: await oneChildOf(id),
      workflow: 'double',
      cause: { message: 'no double of 5' },
    });
    const failed = await one.runner.execute(parent, { n: 5 }, { settled: true });
    expect(failed).toMatchObject({ status: 'Failed', error: { code: 'CHILD_FAILED' } });
  });

  it('returns a child in any final status with settled: true', async () => {
    broken = true;
    const { context, id } = await one.runner.execute(settling, { n: 5 });
    expect(context.child).toEqual({
      id: await oneChildOf(id),
      workflow: 'double',
      status: 'Failed',
      context: { n: 5 },
      error: expect.objectContaining({ message: 'no double of 5' }),
    });
    broken = false;
    const done = await one.runner.execute(settling, { n: 5 });
    expect(done.context.child).toMatchObject({ status: 'Completed', context: { doubled: 10 } });
  });

  it('says what the parent waits for', async () => {
    const { id } = await one.runner.start(waiting);
    const child = await oneChildOf(id);
    const found = await until(
      () => one.runner.get(id),
      (execution) => execution?.waitingFor?.reason === 'child',
      'the wait',
    );
    expect(found?.waitingFor).toMatchObject({ reason: 'child', task: 'wait', wait: 'held' });
    expect(found?.waitingFor?.detail).toContain(child);
    open.open();
    expect(await one.runner.handle(id).result()).toMatchObject({ context: { was: true } });
  });

  it('refuses a recursion without an end', async () => {
    const { error } = await one.runner.execute(recursive, {}, { settled: true });
    expect(error).toMatchObject({ code: 'CHILD_FAILED' });
    const [deepest] = await one.query<{ depth: number }>(
      `SELECT depth FROM cloacina_workflow_execution WHERE workflow = 'recursive' ORDER BY depth DESC LIMIT 1`,
    );
    expect(deepest).toEqual({ depth: 50 });
    const [row] = await one.query<{ error: { code: string; message: string } }>(
      `SELECT t.error FROM cloacina_task_execution t JOIN cloacina_workflow_execution x ON x.id = t.execution_id
       WHERE x.depth = 50`,
    );
    expect(row?.error).toMatchObject({ code: 'NOT_ALLOWED' });
  });

  it('uses an execution with its idempotency key, also one that has ended', async () => {
    const before = await one.runner.execute(double, { n: 21 }, { idempotencyKey: 'before' });
    const { context, id } = await one.runner.execute(keyed, { n: 1, key: 'before' });
    expect(context).toMatchObject({ doubled: 42 });
    expect(await childrenOf(id)).toEqual([]);
    const [first, second] = await Promise.all([
      one.runner.execute(keyed, { n: 8, key: 'shared' }),
      two.runner.execute(keyed, { n: 8, key: 'shared' }),
    ]);
    expect([first.context.doubled, second.context.doubled]).toEqual([16, 16]);
    expect(runs.filter((run) => run === 'double 8')).toHaveLength(1);
    expect(before.context.doubled).toBe(42);
    await settled();
  });

  it('refuses to wait for an execution that waits for this one', async () => {
    const [a, b] = await Promise.all([
      one.runner.start(mutual, { other: 'b' }, { idempotencyKey: 'a' }),
      one.runner.start(mutual, { other: 'a' }, { idempotencyKey: 'b' }),
    ]);
    open.open();
    const ends = await Promise.all([a, b].map((each) => each.result({ settled: true })));
    const codes = ends.map(({ error }) => error?.code).toSorted();
    expect([
      ['CHILD_FAILED', 'NOT_ALLOWED'],
      ['NOT_ALLOWED', 'NOT_ALLOWED'],
    ]).toContainEqual(codes);
  });

  it('in place of a start() of an earlier release does not return before the child', async () => {
    const leaves = (waits: boolean) =>
      defineWorkflow('changed')
        .task('child', once, async (context): Promise<{ held?: boolean }> => {
          if (waits) return context.execute(held, {});
          await context.start(held, {}, { onParentEnd: 'abandon' });
          throw new Error('deploy');
        })
        .build();
    // The child, which is held, ends with neither of them.
    const options = { schema: freshSchema(), shutdownTimeoutMs: 1 };
    const before = await openTenant([leaves(false), held], options);
    const { id } = await before.runner.execute('changed', {}, { settled: true });
    await before.close();
    const after = await openTenant([leaves(true), held], options);
    await after.runner.retry(id);
    expect(await after.runner.handle(id).result({ settled: true })).toMatchObject({
      status: 'Failed',
      error: { code: 'INVALID_ARGUMENT', message: expect.stringContaining('start()') },
    });
  });

  it('throws for a child that was deleted', async () => {
    const { id } = await one.runner.start(waiting);
    const child = await oneChildOf(id);
    await until(
      () => one.runner.get(id),
      (x) => x?.waitingFor?.reason === 'child',
      'the wait',
    );
    await one.query('DELETE FROM cloacina_task_execution WHERE execution_id = $1', [child]);
    await one.query('DELETE FROM cloacina_workflow_execution WHERE id = $1', [child]);
    await one.engine.settler.tellMissing();
    const { error } = await one.runner.handle(id).result({ settled: true });
    expect(error).toMatchObject({
      code: 'CHILD_MISSING',
      message: new ChildMissingError(child).message,
    });
  });
});

describe('context.executeAll()', () => {
  it('starts all children and is woken once', async () => {
    const { context, id } = await one.runner.execute(many, { count: 40 });
    expect(context.sum).toBe(40 * 39);
    expect(await childrenOf(id)).toHaveLength(40);
    expect(runs.filter((run) => run === 'all').length).toBeLessThanOrEqual(3);
    const [task] = await one.query<{ pending_dependencies: number }>(
      'SELECT pending_dependencies FROM cloacina_task_execution WHERE execution_id = $1',
      [id],
    );
    expect(task).toEqual({ pending_dependencies: 0 });
  });

  it('of none returns at once', async () => {
    expect((await one.runner.execute(many, { count: 0 })).context.sum).toBe(0);
  });
});

describe('The end of a parent', () => {
  const statusesOf = async (id: string): Promise<string[]> =>
    (await one.runner.list({ parent: id })).items.map(({ status }) => status).sort();
  const started = async (input: {
    end?: 'abandon' | 'cancel';
    fail?: boolean;
  }): Promise<string> => {
    const { id } = await one.runner.start(leaving, input);
    await until(
      () => childrenOf(id),
      (ids) => ids.length === 2,
      'the children',
    );
    return id;
  };

  it('cancels children when it is cancelled', async () => {
    const id = await started({});
    await two.runner.cancel(id, { reason: 'enough' });
    await until(
      () => statusesOf(id),
      (all) => all.every((s) => s === 'Cancelled'),
      'their ends',
    );
    const { items } = await one.runner.list({ parent: id });
    expect(items.map(({ reason }) => reason)).toEqual([
      `Its parent, execution ${id}, has ended.`,
      `Its parent, execution ${id}, has ended.`,
    ]);
    await settled();
  });

  it('leaves children that are to be abandoned', async () => {
    const id = await started({ end: 'abandon' });
    await one.runner.cancel(id);
    await settled();
    expect(await statusesOf(id)).not.toContain('Cancelled');
    open.open();
    await until(
      () => statusesOf(id),
      (all) => all.every((s) => s === 'Completed'),
      'their ends',
    );
  });

  it('cancels children when it fails, and none when it completes', async () => {
    const failing = await started({ fail: true });
    const completing = await started({});
    // The children hold their gate too, so the order of the ends is open: those of the failed parent may complete first.
    open.open();
    await one.runner.handle(failing).result({ settled: true });
    await one.runner.handle(completing).result();
    await settled();
    await until(
      () => statusesOf(completing),
      (all) => all.every((s) => s === 'Completed'),
      'the children of the completed one',
    );
    for (const status of await statusesOf(failing))
      expect(['Cancelled', 'Completed']).toContain(status);
  });

  it('reaches the whole tree, as pause and resume do', async () => {
    const { id } = await one.runner.start(grand);
    const deep = (node: ExecutionTree): ExecutionTree | undefined => node.children[0]?.children[0];
    const tree = await until(
      () => one.runner.tree(id),
      (node) => deep(node) !== undefined,
      'the tree',
    );
    expect(tree).toMatchObject({
      id,
      workflow: 'grand',
      isComplete: true,
      children: [
        { workflow: 'waiting', step: 'waiting', children: [{ workflow: 'held', step: 'held' }] },
      ],
    });
    const { items } = await one.runner.list({ root: id });
    expect(items.map(({ workflow }) => workflow)).toEqual(['held', 'waiting']);
    const all = [id, ...items.map((item) => item.id)];
    await one.runner.pause(id, { reason: 'lunch', tree: true });
    expect(new Set((await one.runner.statuses(all)).values())).toEqual(new Set(['Paused']));
    await one.runner.resume(id, { tree: true });
    expect(new Set((await one.runner.statuses(all)).values())).toEqual(new Set(['Running']));
    await one.runner.cancel(id);
    await until(
      () => one.runner.statuses(all),
      (statuses) => [...statuses.values()].every((status) => status === 'Cancelled'),
      'the end of the tree',
    );
    await settled();
  });

  it('by the timeout of its workflow cancels the tree under it', async () => {
    const { id } = await one.runner.start(impatient);
    const result = await one.runner.handle(id).result({ settled: true });
    expect(result).toMatchObject({ status: 'Failed', error: { code: 'WORKFLOW_TIMEOUT' } });
    await settled();
    const { items } = await one.runner.list({ root: id });
    expect(items.map(({ status }) => status)).toEqual(items.map(() => 'Cancelled'));
  });

  it('tells the parent of a child that was cancelled', async () => {
    const { id } = await one.runner.start(waiting);
    await one.runner.cancel(await oneChildOf(id), { reason: 'not needed' });
    const { error } = await one.runner.handle(id).result({ settled: true });
    expect(error).toMatchObject({
      code: 'CHILD_CANCELLED',
      message: expect.stringContaining('not needed'),
    });
    expect(ChildCancelledError.name).toBe('ChildCancelledError');
  });
});

describe('A manual retry of the parent', () => {
  it('retries its failed children in place, and not those that completed', async () => {
    const failed = await one.runner.execute(several, {}, { settled: true });
    expect(failed.status).toBe('Failed');
    const before = await childrenOf(failed.id);
    expect(before).toHaveLength(2);
    runs = [];
    severalBroken = false;
    await two.runner.retry(failed.id);
    expect(await one.runner.handle(failed.id).result()).toMatchObject({ context: { sum: 3 } });
    expect(runs).toEqual(['part 2']);
    expect(await childrenOf(failed.id)).toEqual(before);
    await settled();
  });

  it('of a cancelled one retries the children that its end cancelled', async () => {
    const { id } = await one.runner.start(waiting);
    const child = await oneChildOf(id);
    await one.runner.cancel(id);
    await one.runner.retry(id);
    open.open();
    expect(await one.runner.handle(id).result()).toMatchObject({ context: { was: true } });
    expect(await childrenOf(id)).toEqual([child]);
    await settled();
  });
});

describe('context.start()', () => {
  it('is progress: the failed attempts before it no longer count', async () => {
    expect((await one.runner.execute(trying)).status).toBe('Completed');
    expect(runs.filter((run) => run === 'try')).toHaveLength(3);
  });
});

describe('context.start() in a transactional task', () => {
  it('stores the child with the outcome', async () => {
    const { context, id } = await one.runner.execute(transactional);
    expect(await childrenOf(id)).toEqual([context.id]);
    expect(await one.runner.handle(context.id).result()).toMatchObject({ context: { doubled: 8 } });
  });

  it('names the execution that has its key', async () => {
    const before = await one.runner.execute(double, { n: 1 }, { idempotencyKey: 'of a task' });
    const { context } = await one.runner.execute(transactional, { key: 'of a task' });
    expect(context.id).toBe(before.id);
    const { context: own, id } = await one.runner.execute(transactional, { key: 'new key' });
    expect(await childrenOf(id)).toEqual([own.id]);
  });

  it('and a wait in it rolls back what was written before, and runs again', async () => {
    const { context, id } = await one.runner.execute(waitingInTransaction, { n: 6 });
    expect(context).toMatchObject({ doubled: 12 });
    expect(await childrenOf(id)).toHaveLength(1);
    const rows = await one.query<{ n: number }>('SELECT n FROM written');
    expect(rows).toEqual([{ n: 12 }]);
  });

  it('stores nothing if the task fails', async () => {
    const { id, error } = await one.runner.execute(
      transactional,
      { fail: true },
      { settled: true },
    );
    expect(await childrenOf(id)).toEqual([]);
    expect(await one.runner.get(error!.message)).toBeNull();
    await settled();
  });
});
