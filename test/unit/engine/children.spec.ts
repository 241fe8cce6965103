import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { EndSettler, type EndSettlerParts } from '../../../lib/engine/children/end-settler.js';
import { ChildUse } from '../../../lib/engine/children/child-use.js';
import { SettlePass, type SettledTenant } from '../../../lib/engine/children/settle-pass.js';
import {
  TELL_PARENTS,
  UNSETTLED_OF_ALL,
  type SettlingSession,
} from '../../../lib/store/port/index.js';
import type { RegisteredWorkflow } from '../../../lib/discovery/registered-workflow.js';
import { ManualClock } from '../../../lib/testing/manual-clock.js';
import type { TaskClaim } from '../../../lib/engine/claims/task-claim.js';
import { AvailabilityRetry } from '../../../lib/runtime/availability-retry.js';
import { systemClock } from '../../../lib/runtime/clock.js';
import {
  MemoryDatabase,
  MemoryFailure,
  MemoryStore,
} from '../../../lib/testing/memory-store/index.js';
import { registered } from './engine-scene.js';
import { MemoryProcess } from './memory-process.js';

describe('A process on the store in memory', () => {
  let clock: ManualClock;
  let database: MemoryDatabase;
  let workflow: RegisteredWorkflow;
  let process: MemoryProcess;
  let open: MemoryProcess[];
  let broken: number | undefined;
  let runs: number[];
  beforeEach(async () => {
    [clock, broken, runs] = [new ManualClock(), undefined, []];
    const retry = { maxAttempts: 1 } as const;
    // Each execution adds up what its child does, down to 0.
    workflow = registered([{ name: 'a', retry }], {
      handlers: {
        a: {
          run: async (context) => {
            const n = context.get('n') as number;
            runs.push(n);
            if (n === broken) throw new Error('as planned');
            if (n === 0) return { sum: 0 };
            const { sum } = await context.execute('w', { n: n - 1 });
            return { sum: n + (sum as number) };
          },
        },
      },
    });
    database = new MemoryDatabase(clock);
    process = new MemoryProcess(clock, workflow, { database });
    open = [process];
    await process.open();
  });
  afterEach(async () => {
    const closing = Promise.all(open.map((one) => one.close())).then(() => 'closed' as const);
    while ((await Promise.race([closing, clock.advance(1_000)])) !== 'closed');
  });

  /** Lets the process work until the execution has ended. */
  async function ended(id: string) {
    for (let turns = 0; turns < 5_000; turns++) {
      await clock.advance(0);
      const execution = await process.runner.get(id);
      if (execution?.completedAt !== undefined) return execution;
    }
    throw new Error('It has not ended.');
  }

  it('runs children of children, and each parent once more', async () => {
    const { id } = await process.runner.start('w', { n: 3 });
    expect(await ended(id)).toMatchObject({ status: 'Completed', context: { sum: 6 } });
    expect(runs).toEqual([3, 2, 1, 0, 1, 2, 3]);
    const tree = await process.runner.tree(id);
    expect(tree.children[0]?.children[0]?.children[0]).toMatchObject({ status: 'Completed' });
    expect(await process.store.children.unsettled(10, null)).toEqual([]);
  });

  it('tells the other processes of its first child, because it may die before it settles an end', async () => {
    const other = new MemoryProcess(clock, workflow, { database, tasks: 0 });
    open.push(other);
    await other.open();
    await ended((await process.runner.start('w', { n: 0 })).id);
    expect(other.engine.childUse.isUsed).toBe(false);
    await ended((await process.runner.start('w', { n: 1 })).id);
    expect(other.engine.childUse.isUsed).toBe(true);
  });

  it('fails the parents of a child that failed, and retries all of them in place', async () => {
    broken = 0;
    const { id } = await process.runner.start('w', { n: 2 });
    expect(await ended(id)).toMatchObject({ status: 'Failed', error: { code: 'CHILD_FAILED' } });
    const before = await process.runner.list({ root: id });
    [broken, runs] = [undefined, []];
    await process.runner.retry(id);
    expect(await ended(id)).toMatchObject({ status: 'Completed', context: { sum: 3 } });
    const after = await process.runner.list({ root: id });
    expect(after.items.map((item) => item.id)).toEqual(before.items.map((item) => item.id));
  });
});

describe('EndSettler', () => {
  /** Ends that are left in the store; those that are locked stay there. */
  function settlerOf(left: Set<string>, locked: ReadonlySet<string> = new Set()) {
    let looks = 0;
    const told: number[] = [];
    const store = {
      classifyFailure: () => ({ kind: 'bug', mayBeWritten: false, retryable: false }),
      children: {
        unsettled: async (limit: number, after: string | null) => {
          looks++;
          const ids = [...left].sort().filter((id) => after === null || id > after);
          return ids.slice(0, limit).map((id) => ({ id, bits: TELL_PARENTS }));
        },
        tellParents: async (ids: readonly string[], again = false) => {
          if (again) told.push(ids.length);
          for (const id of ids) if (!locked.has(id)) left.delete(id);
          return [];
        },
      },
    };
    const waker = {
      send: (_tasks: number, statement: (claims?: undefined) => Promise<unknown>) => statement(),
    };
    const settler = new EndSettler({
      clock: new ManualClock(),
      store,
      waker,
      use: { noted: () => undefined },
      schema: 's',
    } as unknown as EndSettlerParts);
    return { settler, told, looks: () => looks };
  }
  const idsOf = (count: number) => Array.from({ length: count }, (_, n) => `end ${n}`);

  it('settles all ends that are left, page by page', async () => {
    const left = new Set(idsOf(1_700));
    await settlerOf(left).settler.settleLeft();
    expect(left.size).toBe(0);
  });

  it('tells the ends that tasks have found many in a statement', async () => {
    const { settler, told } = settlerOf(new Set());
    await Promise.all(idsOf(450).map((id) => settler.tell(id)));
    expect(told).toEqual([300, 150]);
  });

  it('ends the children of cancelled items when a database is back that was away', async () => {
    let sends = 0;
    const store = new MemoryStore(new MemoryDatabase(new ManualClock()));
    store.children.endItemChildren = () =>
      ++sends < 3
        ? Promise.reject(new MemoryFailure('connection', 'away'))
        : Promise.resolve({ last: null, skipped: 0, cancelled: [] });
    const settler = new EndSettler({
      store,
      clock: systemClock,
      claims: { all: () => [], loseHeld: () => undefined },
      whileUnavailable: new AvailabilityRetry('t', store, 60_000, systemClock),
    } as unknown as EndSettlerParts);
    await settler.endItemChildren({ task: { name: 'map' } } as TaskClaim);
    expect(sends).toBe(3);
  });

  it('does not read the same ends over and over', async () => {
    const ids = idsOf(1_700);
    const left = new Set(ids);
    const locked = new Set(ids.slice(0, 100));
    const { settler, looks } = settlerOf(left, locked);
    await Promise.all([settler.settleLeft(), settler.settleLeft()]);
    expect(looks()).toBeLessThan(10);
    expect(left).toEqual(locked);
  });
});

describe('SettlePass', () => {
  let asked: string[];
  let told: string[];
  let users: boolean[];
  let count: number;
  let session: SettlingSession | undefined;
  beforeEach(() => {
    [asked, told, users, count] = [[], [], [false, false], 1];
    session = {
      useChildren: async (tenants) => {
        asked.push(`use ${tenants.map(({ schema }) => schema).join()}`);
        return tenants.map(({ schema }) => users[Number(schema)]);
      },
      unsettled: async (tenants) => {
        asked.push(`unsettled ${tenants.map(({ schema }) => schema).join()}`);
        return tenants.map(({ schema }) =>
          Array.from({ length: count }, () => ({ id: `of ${schema}`, bits: TELL_PARENTS })),
        );
      },
    };
  });
  const tenant = (schema: string, usesChildren = false): SettledTenant => ({
    store: { handle: { schema } },
    childUse: { isUsed: usesChildren },
    settler: {
      ended: (id, bits) => told.push(`${id} ${bits}`),
      settleLeft: async () => void told.push(`all in ${schema}`),
      tellMissing: async () => void told.push(`missing in ${schema}`),
    },
  });
  const passOf = (...tenants: SettledTenant[]): SettlePass =>
    new SettlePass({ session: () => session, tenants: () => tenants });

  it('asks once whether tenants have children, and then leaves those alone that have none', async () => {
    const pass = passOf(tenant('0'), tenant('1'));
    for (let round = 0; round < 19; round++) await pass.over(['0', '1']);
    expect(asked).toEqual(['use 0,1']);
    users = [true, false];
    await pass.over(['0', '1']);
    await pass.over(['0', '1']);
    expect(asked).toEqual(['use 0,1', 'use 0,1', 'unsettled 0']);
    expect(told).toContain('of 0 1');
  });

  it('looks in each round at tenants whose children this process has seen', async () => {
    const pass = passOf(tenant('0', true), tenant('1'));
    await pass.over(['0', '1']);
    await pass.over(['0', '1']);
    expect(asked).toEqual(['use 1', 'unsettled 0', 'unsettled 0']);
    expect(told.filter((what) => what === 'missing in 0')).toHaveLength(1);
  });

  it('looks from the next round on at a tenant of which another process has told', async () => {
    const use = new ChildUse(
      () => undefined,
      () => false,
    );
    const pass = passOf({ ...tenant('0'), childUse: use });
    await pass.over(['0']);
    await pass.over(['0']);
    expect(asked).toEqual(['use 0']);
    use.notedElsewhere();
    await pass.over(['0']);
    expect(asked).toEqual(['use 0', 'unsettled 0']);
  });

  it('goes on where a tenant has more ends than one look reads', async () => {
    const many = Array.from({ length: UNSETTLED_OF_ALL }, (_, i) => ({
      id: `${i}`,
      bits: TELL_PARENTS,
    }));
    session = {
      useChildren: async () => [true],
      unsettled: async ([one]) => [one?.schema === '0' ? many : many.slice(1)],
    };
    await passOf(tenant('0', true)).over(['0']);
    expect(told).toEqual(['all in 0', 'missing in 0']);
    told.length = 0;
    await passOf(tenant('1', true)).over(['1']);
    expect(told).not.toContain('all in 1');
    expect(told).toHaveLength(UNSETTLED_OF_ALL);
  });

  it('waits for a session', async () => {
    session = undefined;
    await passOf(tenant('0', true)).over(['0']);
    expect(asked).toEqual([]);
  });
});
