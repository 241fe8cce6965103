import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import type { TaskContext } from '../../../lib/discovery/task-context.js';
import { aborted, gate, type Gate } from '../../support/gate.js';
import { openTenant, type OpenTenant } from '../../support/open-tenant.js';
import { waitFor } from '../../support/wait-for.js';

const GRACE = { handlerGraceMs: 200, maxConcurrentTasks: 1, shutdownTimeoutMs: 50 };

/** Handlers that stand there until the test is over, whatever their signals say. */
let never: Gate;
let warnings: string[];
let errors: string[];

beforeEach(() => {
  never = gate();
  warnings = [];
  errors = [];
  jest.spyOn(Logger.prototype, 'warn').mockImplementation((text) => void warnings.push(text));
  jest.spyOn(Logger.prototype, 'error').mockImplementation((text) => void errors.push(text));
});
afterEach(() => {
  never.open();
  jest.restoreAllMocks();
});

const quick = defineWorkflow('quick')
  .task('only', () => ({ quick: true }))
  .build();

/** Its first `hanging` attempts ignore their signals, which abort at once. */
function deaf(begun: number[], hanging = 1, returned: () => unknown = () => undefined) {
  return defineWorkflow('deaf')
    .task(
      'only',
      { timeout: 20, retry: { delay: 0, jitter: false, maxAttempts: 99 } },
      async ({ attempt }) => {
        begun.push(attempt);
        if (attempt > hanging) return { attempt };
        await never.passed;
        returned();
        return { late: attempt };
      },
    )
    .build();
}

/** Stands there; `begun` opens when it does. */
function standing(begun: Gate, run: (context: TaskContext) => Promise<void>) {
  return defineWorkflow('standing')
    .task('only', { retry: { maxAttempts: 1 } }, async (context) => {
      begun.open();
      await run(context);
    })
    .build();
}

const named = (id: string, tenant: OpenTenant): RegExp =>
  new RegExp(`Tenant "${tenant.name}".*task "only".*execution ${id}`);

async function untilGivenUp(tenant: OpenTenant, count: number): Promise<void> {
  await waitFor(
    () => tenant.engine.hungHandlers().filter((hung) => !hung.keepsSlot).length === count,
  );
}

describe('A handler that ignores its signal', () => {
  it('is given up after the grace: its next attempt and other tasks go on in this process', async () => {
    const begun: number[] = [];
    let late = false;
    const workflow = deaf(begun, 2, () => (late = true));
    const tenant = await openTenant([workflow, quick], GRACE);
    const handle = await tenant.runner.start(workflow);
    expect((await tenant.runner.execute(quick)).status).toBe('Completed');
    const result = await handle.result({ settled: true });
    expect(begun).toEqual([1, 2, 3]);
    expect(result).toMatchObject({ status: 'Completed', context: { attempt: 3 } });
    expect(result.tasks[0]?.attempts).toMatchObject([
      { error: { code: 'TASK_TIMEOUT' } },
      { error: { code: 'TASK_TIMEOUT' } },
      {},
    ]);

    // What it still does is refused.
    never.open();
    await waitFor(() => late && tenant.engine.hungHandlers().length === 0);
    expect((await handle.result()).context).toEqual({ attempt: 3 });
  });

  it('is reported twice, and listed until it returns', async () => {
    const tenant = await openTenant([deaf([]), quick], GRACE);
    const { id } = await tenant.runner.start('deaf');
    await tenant.runner.handle(id).result();
    expect(warnings).toHaveLength(2);
    for (const warning of warnings) expect(warning).toMatch(named(id, tenant));
    expect(warnings[0]).toContain('s after its signal was aborted');
    expect(warnings[1]).toContain('its slot is free');
    expect(warnings[1]).toContain('1 given-up handler still runs in this process');

    expect(await tenant.recovery.blocked()).toMatchObject([
      { executionId: id, taskName: 'only', reason: expect.stringContaining('was given up') },
    ]);
    expect((await tenant.recovery.run()).blocked).toBe(1);
    never.open();
    await waitFor(() => tenant.engine.hungHandlers().length === 0);
    expect(await tenant.recovery.blocked()).toEqual([]);
  });

  it('is not reported when it returns in time', async () => {
    const begun = gate();
    const workflow = standing(begun, async ({ signal }) => void (await aborted(signal)));
    const tenant = await openTenant([workflow, quick], GRACE);
    const handle = await tenant.runner.start(workflow);
    await begun.passed;
    await handle.cancel();
    await tenant.runner.execute(quick);
    expect(tenant.engine.hungHandlers()).toEqual([]);
    expect(warnings).toEqual([]);
  });

  it.each<[string, (tenant: OpenTenant, id: string) => Promise<void>]>([
    ['a cancel', (tenant, id) => tenant.runner.cancel(id)],
    ['a lost claim', async (tenant) => tenant.engine.leaseLost()],
    [
      'a workflow timeout',
      async (tenant, id) => {
        await tenant.query('UPDATE cloacina_workflow_execution SET deadline_at = now()');
        await tenant.query('UPDATE cloacina_workflow_execution SET timeout_ms = 1');
        await tenant.engine.enforceDeadlines();
        expect((await tenant.runner.handle(id).result({ settled: true })).error?.code).toBe(
          'WORKFLOW_TIMEOUT',
        );
      },
    ],
  ])('does not keep its slot after %s', async (_, end) => {
    const begun = gate();
    const tenant = await openTenant([standing(begun, () => never.passed), quick], GRACE);
    const { id } = await tenant.runner.start('standing');
    await begun.passed;
    await end(tenant, id);
    await untilGivenUp(tenant, 1);
    expect((await tenant.runner.execute(quick)).status).toBe('Completed');
  });

  it('loses its connection and its slot where its transaction waits for something else', async () => {
    const begun: number[] = [];
    const workflow = defineWorkflow('transactional')
      .task(
        'only',
        {
          transactional: true,
          timeout: 100,
          retry: { delay: 0, jitter: false, maxAttempts: 50 },
        },
        async ({ manager, attempt }) => {
          await manager.query('INSERT INTO effect VALUES ($1)', [attempt]);
          begun.push(attempt);
          if (attempt === 1) await never.passed;
        },
      )
      .build();
    // The least pool: user code has one connection.
    const tenant = await openTenant([workflow], { ...GRACE, poolSize: 3 });
    await tenant.query('CREATE TABLE effect (attempt integer)');
    const { status } = await tenant.runner.execute(workflow, {}, { timeout: '60s' });
    expect(status).toBe('Completed');
    // A slow machine may need more than the second.
    const last = begun.at(-1);
    expect(last).toBeGreaterThan(1);
    expect(await tenant.query('SELECT attempt FROM effect')).toEqual([{ attempt: last }]);
    expect(tenant.engine.hungHandlers()).toMatchObject([{ keepsSlot: false }]);
  });

  it('is not given up where ten to a slot were, until one of those returns, and what waits for it says so', async () => {
    const begun: number[] = [];
    const firsts: Gate[] = [];
    const workflow = defineWorkflow('leaking')
      .task(
        'only',
        { timeout: 1, retry: { delay: 0, jitter: false, maxAttempts: 99 } },
        async ({ attempt }) => {
          begun.push(attempt);
          const own = gate();
          firsts.push(own);
          await Promise.race([own.passed, never.passed]);
        },
      )
      .build();
    const tenant = await openTenant([workflow, quick], { ...GRACE, handlerGraceMs: 10 });
    const { id } = await tenant.runner.start(workflow);
    await waitFor(() => errors.length > 0);
    expect(begun).toHaveLength(11);
    expect(errors).toEqual([expect.stringContaining('10 handlers that were given up still run')]);
    expect(tenant.engine.hungHandlers().filter(({ keepsSlot }) => keepsSlot)).toHaveLength(1);
    const other = await tenant.runner.start(quick);
    const waitOf = async (each: string) => (await tenant.runner.get(each))?.tasks[0]?.waitingFor;
    // The failure of its last attempt may still be on its way to the row.
    await waitFor(async () => (await waitOf(id))?.reason === 'hungHandler').catch(async (error) => {
      const seen = JSON.stringify([
        await tenant.runner.get(id),
        begun,
        tenant.engine.hungHandlers(),
      ]);
      throw new Error(`It says ${seen}.`, { cause: error });
    });
    // It may be in line for a while before it is given back.
    const wait = await waitFor(() => waitOf(other.id));
    expect(wait).toMatchObject({ reason: 'slot' });
    expect(wait.detail).toContain('keep slots of this process: 1.');
    const said = warnings.length;
    firsts[0]?.open();
    await waitFor(() => begun.length === 12);
    // The twelfth attempt goes on in turn, and may be warned of by now.
    expect(warnings.slice(said)).toContainEqual(
      expect.stringContaining('10 given-up handlers still run in this process'),
    );
  });

  it('does not hold up a shutdown, given up or not, with a connection or without', async () => {
    const begun = { one: gate(), two: gate() };
    const connected = defineWorkflow('connected')
      .task('only', async ({ dataSource }) =>
        dataSource.transaction(async (manager) => {
          await manager.query('SELECT 1');
          begun.two.open();
          await never.passed;
        }),
      )
      .build();
    const tenant = await openTenant([standing(begun.one, () => never.passed), connected], {
      ...GRACE,
    });
    const { id } = await tenant.runner.start('standing');
    await begun.one.passed;
    await tenant.runner.cancel(id);
    await untilGivenUp(tenant, 1);
    await tenant.runner.start(connected);
    await begun.two.passed;
    await tenant.close();
    expect(
      await tenant.query('SELECT FROM cloacina_task_execution WHERE owner IS NOT NULL'),
    ).toEqual([]);
    expect(await tenant.query('SELECT FROM cloacina_runner_lease')).toEqual([]);
  });
});
