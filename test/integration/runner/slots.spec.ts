import { describe, expect, it } from '@jest/globals';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import type { ExecutionHandle } from '../../../lib/runner/execution-handle.js';
import { gate } from '../../support/gate.js';
import { openTenant, openTenants } from '../../support/open-tenant.js';
import { waitFor } from '../../support/wait-for.js';

/** Counts handlers that run at once. */
class Crowd {
  now = 0;
  most = 0;

  async pass(work: () => Promise<void>): Promise<void> {
    this.most = Math.max(this.most, ++this.now);
    try {
      await work();
    } finally {
      this.now--;
    }
  }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('Slots', () => {
  it('hold no more handlers than maxConcurrentTasks of the tenant and of the process', async () => {
    const process = new Crowd();
    const tenants = new Map<string, Crowd>();
    // Handlers stand until as many are there as may be.
    let awaited = (): boolean => true;
    let complete = gate();
    const pass = (tenant: string): Promise<void> => {
      const crowd = tenants.get(tenant) ?? new Crowd();
      tenants.set(tenant, crowd);
      return process.pass(() =>
        crowd.pass(async () => {
          if (awaited()) complete.open();
          await complete.passed;
          await turn();
        }),
      );
    };
    const crowded = defineWorkflow('crowded')
      .task('root', ({ tenant }) => pass(tenant))
      .task('a', { dependsOn: ['root'] }, ({ tenant }) => pass(tenant))
      .task('b', { dependsOn: ['root'] }, ({ tenant }) => pass(tenant))
      .build();
    const hosted = await openTenants(
      [crowded],
      [
        { tenant: 'a', maxConcurrentTasks: 3 },
        { tenant: 'b', maxConcurrentTasks: 4 },
      ],
      5,
    );
    const run = async (names: readonly string[], until: () => boolean): Promise<void> => {
      awaited = until;
      complete = gate();
      const runners = hosted.filter(({ name }) => names.includes(name)).map((each) => each.runner);
      await Promise.all(
        runners.flatMap((runner) => Array.from({ length: 20 }, () => runner.execute('crowded'))),
      );
    };
    await run(['a'], () => tenants.get('a')?.now === 3);
    await run(['b'], () => tenants.get('b')?.now === 4);
    await run(['a', 'b'], () => process.now === 5);
    expect(process.most).toBe(5);
    expect(tenants.get('a')?.most).toBe(3);
    expect(tenants.get('b')?.most).toBe(4);
  });

  it('go to higher priorities first, of tasks and of executions', async () => {
    const order: string[] = [];
    const begun = gate();
    const free = gate();
    const blocker = defineWorkflow('blocker')
      .task('only', async () => {
        begun.open();
        await free.passed;
      })
      .build();
    const low = defineWorkflow('low')
      .task(
        'only',
        { priority: -5 },
        (context) => void order.push(`${Number(context.get('n'))} low`),
      )
      .build();
    const high = defineWorkflow('high')
      .task(
        'only',
        { priority: 5 },
        (context) => void order.push(`${Number(context.get('n'))} high`),
      )
      .build();
    const { runner } = await openTenant([blocker, low, high], { maxConcurrentTasks: 1 });
    await runner.start(blocker);
    await begun.passed;
    const handles = [
      await runner.start(low, { n: 1 }),
      await runner.start(high, { n: 1 }),
      await runner.start(low, { n: 2 }, { priority: 20 }),
      await runner.start(high, { n: 2 }, { priority: 20 }),
      await runner.start(low, { n: 3 }, { priority: 7 }),
      await runner.start(high, { n: 3 }, { priority: 7 }),
      await runner.start(high, { n: 4 }),
    ];
    free.open();
    await Promise.all(handles.map((handle) => handle.result()));
    expect(order).toEqual([
      '2 high', // 25, of the level 30
      '2 low', // 15, of the level 20
      '3 high', // 12, of the level 10
      '1 high', // 5, and here before the other one
      '4 high', // 5
      '3 low', // 2
      '1 low', // -5
    ]);
  });

  it('go to the roots and dependents of one execution by priority', async () => {
    const order: string[] = [];
    const note = ({ taskName }: { taskName: string }): void => void order.push(taskName);
    const ranked = defineWorkflow('ranked-within')
      .task('root 1', { priority: 1 }, note)
      .task('root 3', { priority: 3 }, note)
      .task('root 2', { priority: 2 }, note)
      .task('next 1', { dependsOn: ['root 1', 'root 2', 'root 3'], priority: 1 }, note)
      .task('next 9', { dependsOn: ['root 1', 'root 2', 'root 3'], priority: 9 }, note)
      .task('next 5', { dependsOn: ['root 1', 'root 2', 'root 3'], priority: 5 }, note)
      .build();
    const { runner } = await openTenant([ranked], { maxConcurrentTasks: 1 });
    // The first one has no prefetch yet, the second has: the order is the same.
    for (let i = 0; i < 2; i++) {
      order.length = 0;
      await runner.execute(ranked);
      expect(order).toEqual(['root 3', 'root 2', 'root 1', 'next 9', 'next 5', 'next 1']);
    }
  });

  it('go round the tenants: a flood in one does not starve another', async () => {
    const BACKLOG = 500;
    const FEW = 20;
    const ended = { big: 0, small: 0 };
    /** How many of the big tenant had ended when the first one of the small tenant began. */
    let before: number | undefined;
    /** The same when the last one had. */
    let after = Infinity;
    const flooding: Promise<ExecutionHandle>[] = [];
    let isFlooding = true;
    const flood = defineWorkflow('flood')
      .task('only', async ({ tenant }) => {
        if (tenant === 'small') before ??= ended.big;
        await turn();
        ended[tenant as keyof typeof ended]++;
        if (ended.small === FEW) after = Math.min(after, ended.big);
        // What has ended is made up for, so that the flood is as high for as long as it takes.
        if (isFlooding && tenant === 'big') flooding.push(big!.runner.start(flood));
      })
      .build();
    const [big, small] = await openTenants([flood], [{ tenant: 'big' }, { tenant: 'small' }], 4);
    for (let i = 0; i < BACKLOG; i++) flooding.push(big!.runner.start(flood));
    await waitFor(() => ended.big > 50);
    const few = await Promise.all(Array.from({ length: FEW }, () => small!.runner.start(flood)));
    await Promise.all(few.map((handle) => handle.result()));
    isFlooding = false;
    // Behind the flood they would end after all of it.
    expect(after - (before ?? 0)).toBeLessThan(BACKLOG);
    await Promise.all((await Promise.all(flooding)).map((handle) => handle.result()));
  });

  it('are not blocked by a neighbor whose handlers are long', async () => {
    const free = gate();
    const long = defineWorkflow('long')
      .task('only', () => free.passed)
      .build();
    const short = defineWorkflow('short')
      .task('only', () => undefined)
      .build();
    const [big, small] = await openTenants(
      [long, short],
      [{ tenant: 'big', maxConcurrentTasks: 3 }, { tenant: 'small' }],
      4,
    );
    const blocked = await Promise.all(Array.from({ length: 50 }, () => big!.runner.start(long)));
    for (let i = 0; i < 20; i++) await small!.runner.execute(short, {}, { timeout: '60s' });
    free.open();
    await Promise.all(blocked.map((handle) => handle.result()));
  });
});
