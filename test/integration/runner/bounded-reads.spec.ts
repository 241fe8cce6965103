import { expect, it } from '@jest/globals';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import type { CloacinaRunner } from '../../../lib/runner/cloacina-runner.js';
import type { ExecutionFilter } from '../../../lib/runner/execution-filter.js';
import { openTenant } from '../../support/open-tenant.js';

const task = (name: string) =>
  defineWorkflow(name, { version: 'v7' })
    .task('one', () => ({}))
    .build();
const [common, rare] = [task('common'), task('rare')];
/** More than a bounded page looks at. */
const MANY = 1_500;

async function openLarge() {
  const tenant = await openTenant([common, rare]);
  const { runner } = tenant;
  const { id } = await runner.start(rare, {}, { delay: '1d', tags: { old: 'yes' } });
  await runner.startMany(
    common,
    Array.from({ length: MANY }, () => ({})),
    { delay: '1d' },
  );
  return { ...tenant, oldest: id };
}

async function pages(runner: CloacinaRunner, filter: ExecutionFilter): Promise<string[][]> {
  const found: string[][] = [];
  let cursor: string | null | undefined;
  while (cursor !== null) {
    const more = cursor === undefined ? {} : { cursor };
    const page = await runner.list({ ...filter, maxRead: 1_000, ...more });
    found.push(page.items.map(({ id }) => id));
    cursor = page.nextCursor;
  }
  return found;
}

it('a list with maxRead ends where the look has ended, and its next page goes on from there', async () => {
  const { runner, oldest } = await openLarge();
  const status = ['Pending', 'Completed'] as const;
  // One of the first 1,000 executions of its index.
  expect(await pages(runner, { workflow: 'rare', status: [...status] })).toEqual([[oldest]]);
  expect(await pages(runner, { workflow: 'rare', status: 'Pending' })).toEqual([[], [oldest]]);
  expect(await pages(runner, { tags: { old: 'yes' } })).toEqual([[oldest]]);
  const all = await pages(runner, { limit: 500 });
  expect(all.flat()).toHaveLength(MANY + 1);
  expect(new Set(all.flat()).size).toBe(MANY + 1);
  for (const maxRead of [0, 999, 100_001, 1_000.5]) {
    await expect(runner.list({ maxRead })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  }
});

it('a dry run with a cap counts up to it, and tells that there may be more', async () => {
  const { runner } = await openLarge();
  const dryRun = (cap: number, filter: object = { workflow: 'common' }) =>
    runner.cancelMany(filter, { dryRun: true, cap });
  expect(await dryRun(1_000)).toEqual({ matched: 1_000, changed: 0, isCapped: true });
  expect(await dryRun(2_000)).toEqual({ matched: MANY, changed: 0, isCapped: false });
  expect(await dryRun(100, { tags: { old: 'yes' } })).toEqual({
    matched: 1,
    changed: 0,
    isCapped: false,
  });
  // It is behind the look.
  expect(await dryRun(100, { workflow: 'rare' })).toEqual({
    matched: 0,
    changed: 0,
    isCapped: true,
  });
  for (const wrong of [{ dryRun: true, cap: 0 }, { dryRun: true, cap: 100_001 }, { cap: 10 }]) {
    await expect(runner.cancelMany({ all: true }, wrong)).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
    });
  }
});

it('tells the versions of a workflow, with what still runs', async () => {
  const { runner } = await openTenant([common, rare]);
  await runner.execute(common, {});
  await runner.start(common, {}, { delay: '1d' });
  expect(await runner.statistics.versions({ workflow: common })).toEqual({
    versions: [
      {
        definitionId: expect.any(String),
        version: 'v7',
        registeredAt: expect.any(Date),
        firstStartedAt: expect.any(Date),
        lastStartedAt: expect.any(Date),
        open: { count: 1, isCapped: false },
      },
    ],
  });
  const [never] = (await runner.statistics.versions({ workflow: 'rare' })).versions;
  expect(never).toEqual({
    definitionId: expect.any(String),
    version: 'v7',
    registeredAt: expect.any(Date),
    open: { count: 0, isCapped: false },
  });
  expect(await runner.statistics.versions({ workflow: 'none' })).toEqual({ versions: [] });
  await expect(runner.statistics.versions({} as never)).rejects.toThrow('workflow');
});
