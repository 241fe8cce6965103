import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { defineWorkflow } from '../../lib/discovery/define-workflow.js';
import type { TaskContext, TaskMethod } from '../../lib/discovery/task-context.js';
import { type OpenTenant, openTenant } from '../support/open-tenant.js';
import { waitFor } from '../support/wait-for.js';
import { illegalHistories } from './workload/legal-history.js';
import { report } from './workload/scene.js';

/** How long a handler keeps its slot after its signal aborted: the one place that names the option. */
const GRACE: object = { handlerGraceMs: 300 };
const SLOTS = 3;
const BOUND = { timeout: '20s' } as const;

/** Handlers that hang: what lets each go on, which nothing but the end of a test does. */
const hanging: { readonly free: (value: unknown) => void; readonly signal: AbortSignal }[] = [];
let returned = 0;
const unhandled: unknown[] = [];
const note = (reason: unknown): void => void unhandled.push(reason);
beforeEach(() => {
  hanging.length = 0;
  returned = 0;
  process.on('unhandledRejection', note);
});
afterEach(() => {
  process.off('unhandledRejection', note);
  for (const { free } of hanging) free(undefined);
  expect(unhandled).toEqual([]);
});

/** It ignores its signal. */
const hang = (async (context: TaskContext) => {
  await new Promise((free) => hanging.push({ free, signal: context.signal }));
  returned++;
  return { late: true };
}) as TaskMethod;
const firstHangs = (async (context: TaskContext) => {
  if (context.attempt === 1) await hang(context);
  return { attempt: context.attempt };
}) as TaskMethod;

const once = { retry: { maxAttempts: 1 } } as const;
const twice = { retry: { maxAttempts: 2, backoff: 'fixed', delay: 10, jitter: false } } as const;

/** What ends the wait for a handler that hangs, for a plain and a transactional task. */
const ENDS = (['plain', 'transactional'] as const).flatMap((kind) => {
  const transactional = kind === 'transactional';
  return [
    {
      how: `times out in a ${kind} task`,
      status: 'Failed',
      workflow: defineWorkflow(`timed-${kind}`)
        .task('only', { ...once, transactional, timeout: 100 }, hang)
        .build(),
      cancels: false,
    },
    {
      how: `is cancelled in a ${kind} task`,
      status: 'Cancelled',
      workflow: defineWorkflow(`cancelled-${kind}`)
        .task('only', { ...once, transactional }, hang)
        .build(),
      cancels: true,
    },
    {
      how: `is in a workflow that times out, in a ${kind} task`,
      status: 'Failed',
      workflow: defineWorkflow(`late-${kind}`, { timeout: 300 })
        .task('only', { ...once, transactional }, hang)
        .build(),
      cancels: false,
    },
  ] as const;
});
const quick = defineWorkflow('quick')
  .task('plain', {}, () => ({ one: 1 }))
  .task('transactional', { transactional: true, dependsOn: ['plain'] }, async ({ manager }) => {
    await manager.query('SELECT 1');
    return { two: 2 };
  })
  .build();
const again = defineWorkflow('again')
  .task('only', { ...twice, timeout: 100 }, firstHangs)
  .build();
const againInTransaction = defineWorkflow('again-in-transaction')
  .task('only', { ...twice, transactional: true, timeout: 100 }, firstHangs)
  .build();

function open(): Promise<OpenTenant> {
  return openTenant([...ENDS.map(({ workflow }) => workflow), quick, again, againInTransaction], {
    ...GRACE,
    maxConcurrentTasks: SLOTS,
    processTasks: SLOTS,
    poolSize: 20,
    shutdownTimeoutMs: 500,
  });
}

async function tasks(tenant: OpenTenant): Promise<object[]> {
  return tenant.query(
    'SELECT execution_id, status, output, attempt FROM cloacina_task_execution ORDER BY 1',
  );
}

test.each(ENDS.map((end) => [end.how, end] as const))(
  'A handler that hangs and %s gives its slot up; what it does later counts for nothing',
  async (how, { workflow, status, cancels }) => {
    const tenant = await open();
    // More than there are slots, so that some begin only when others were given up.
    const handles = await Promise.all(
      Array.from({ length: SLOTS * 2 }, () => tenant.runner.start(workflow)),
    );
    if (cancels) {
      await waitFor(() => hanging.length === SLOTS, { what: 'the handlers' });
      await Promise.all(handles.map((handle) => handle.cancel({ reason: 'it hangs' })));
    }
    for (const handle of handles)
      expect((await handle.result({ ...BOUND, settled: true })).status).toBe(status);
    // Connections are free as well as slots.
    for (let no = 0; no < SLOTS; no++) {
      expect((await tenant.runner.execute(quick, {}, BOUND)).status).toBe('Completed');
    }
    expect(hanging.every(({ signal }) => signal.aborted)).toBe(true);
    const before = await tasks(tenant);
    for (const { free } of hanging) free(undefined);
    await waitFor(() => returned === hanging.length, { what: 'the late returns' });
    expect((await tenant.runner.execute(quick, {}, BOUND)).status).toBe('Completed');
    const ids = new Set(handles.map(({ id }) => id));
    const late = (rows: object[]): object[] =>
      rows.filter((row) => ids.has(String(Reflect.get(row, 'execution_id'))));
    expect(late(await tasks(tenant))).toEqual(late(before));
    report(`a handler that hangs and ${how}`, { hung: hanging.length });
    expect(await illegalHistories((text) => tenant.query(text))).toEqual([]);
  },
  120_000,
);

test.each([
  ['plain', again],
  ['transactional', againInTransaction],
] as const)(
  'The attempt of a %s task after one whose handler hangs begins in the same process, with one slot',
  async (_, workflow) => {
    const tenant = await openTenant([workflow], {
      ...GRACE,
      maxConcurrentTasks: 1,
      processTasks: 1,
      poolSize: 10,
      shutdownTimeoutMs: 500,
    });
    const result = await tenant.runner.execute(workflow, {}, { ...BOUND, settled: true });
    expect(result).toMatchObject({ status: 'Completed', context: { attempt: 2 } });
    expect(result.tasks[0]?.attempts).toMatchObject([{ error: { code: 'TASK_TIMEOUT' } }, {}]);
    expect(await illegalHistories((text) => tenant.query(text))).toEqual([]);
  },
  60_000,
);

test('A process with handlers that hang closes all the same', async () => {
  const tenant = await open();
  for (const { workflow, cancels } of ENDS) {
    const { id } = await tenant.runner.start(workflow);
    if (cancels) continue;
    await waitFor(() => hanging.some(({ signal }) => signal.aborted), {
      what: 'an aborted signal',
    });
    expect(await tenant.runner.get(id)).not.toBeNull();
    break;
  }
  await tenant.close();
}, 60_000);
