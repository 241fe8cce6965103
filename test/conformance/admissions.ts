import { beforeEach, describe, expect, test } from '@jest/globals';
import {
  ADMIT_NEXT,
  isCreated,
  type AdmissionNumbers,
  type LimitChange,
  type StartItem,
  type Supersedes,
} from '../../lib/store/port/index.js';
import { admissionLimitName, findAdmissionKey } from '../../lib/workflow/admission.js';
import type { TestedStore } from './tested-store.js';
import { noLease, outcomeOf, parallel, startOf } from './workflows.js';

let names = 0;

/** Runs both tasks of an execution again. */
const RESET = {
  leaves: 2,
  tasks: [0, 1].map((taskNo) => ({
    taskNo,
    pendingDependencies: 0,
    unmetDependencies: 0,
    keepsSteps: false,
  })),
};

export function describeAdmissions(tested: TestedStore): void {
  const worker = tested.worker();
  const other = tested.worker();
  let definitionId: string;
  let workflow: string;
  beforeEach(() => {
    definitionId = tested.newDefinition();
    workflow = `admitted-${++names}`;
  });

  const of = () => parallel(2, { definitionId });
  const keyOf = (key: string): string => {
    const found = findAdmissionKey(workflow, { key: 'k' }, { k: key });
    return found.ok ? found.limitKey : found.problem;
  };

  const ONE: AdmissionNumbers = { concurrency: 1 };
  const NONE_SET = { concurrency: null, rate: null, rateMs: null, burst: null };

  interface Asking extends Partial<StartItem> {
    readonly numbers?: AdmissionNumbers;
    readonly skips?: boolean;
  }

  function item(key: string, { numbers = ONE, skips = false, ...more }: Asking = {}): StartItem {
    return startOf(of(), { ...more, admission: { key: keyOf(key), numbers, skips } });
  }

  /** Starts executions in one statement, and tells what became of each. */
  async function start(items: readonly StartItem[], by = worker) {
    const reply = await tested.store.start(items, noLease(by.claimant), true);
    return items.map(({ id }) => {
      const instead = reply.instead?.get(id);
      const fate = !isCreated(reply, id)
        ? 'skipped'
        : reply.waiting?.has(id) === true
          ? 'waits'
          : 'begins';
      return instead === undefined ? { id, fate } : { id, fate, instead };
    });
  }

  async function startOne(key: string, asking?: Asking, by = worker) {
    const [started] = await start([item(key, asking)], by);
    return started!;
  }

  interface Looking {
    readonly numbers?: AdmissionNumbers;
    readonly supersedes?: Supersedes;
    readonly ended?: readonly string[];
  }

  async function admit(
    key: string,
    { numbers = ONE, supersedes = 'none', ended = [] }: Looking = {},
  ) {
    const looks = [{ key: keyOf(key), numbers, supersedes, ended }];
    const { admitted, superseded, keys } = await tested.store.admissions.admit(looks);
    return {
      admitted: admitted.map(({ id }) => id),
      superseded: superseded.map(({ id, newer }) => ({ id, newer })),
      key: keys[0],
    };
  }

  const end = (id: string) => worker.complete([outcomeOf(of(), id, 0), outcomeOf(of(), id, 1)]);
  const claimed = async () =>
    (await worker.claim([definitionId], 100)).map(({ executionId }) => executionId);
  const tasksOf = async (id: string) =>
    (await tested.rowsOf(id)).tasks.map(({ status, run_at }) => [status, run_at !== null]);

  describe('an execution with an admission', () => {
    test('begins with its start if its key has a free slot', async () => {
      const { id, fate } = await startOne('a');
      expect(fate).toBe('begins');
      expect(await tested.statusesOf(id)).toEqual(['Running', 'Running']);
      expect((await startOne('b', {}, other)).fate).toBe('begins');
    });

    test('waits for its turn while its key is full, and none of its tasks is claimed', async () => {
      await startOne('a');
      const { id, fate } = await startOne('a', {}, other);
      expect(fate).toBe('waits');
      expect(await tasksOf(id)).toEqual([
        ['Ready', false],
        ['Ready', false],
      ]);
      expect((await tested.rowsOf(id)).execution).toMatchObject({ status: 'Pending' });
      expect(await claimed()).toEqual([]);
      expect((await admit('a')).admitted).toEqual([]);
    });

    test('takes its turn after the one before has ended, with all its tasks', async () => {
      const { id: first } = await startOne('a');
      const { id: second } = await startOne('a');
      await end(first);
      expect((await admit('a')).admitted).toEqual([second]);
      expect(await claimed()).toEqual([second, second]);
      expect((await admit('a')).admitted).toEqual([]);
    });

    test('overtakes no other that waits', async () => {
      const { id: first } = await startOne('a');
      const { id: second } = await startOne('a');
      await end(first);
      expect((await startOne('a')).fate).toBe('waits');
      expect((await admit('a')).admitted).toEqual([second]);
    });

    test('is admitted by priority, then by age', async () => {
      const { id: first } = await startOne('a');
      const [low, same, high] = await Promise.all([
        startOne('a', { priority: 1 }),
        startOne('a', { priority: 1 }),
        startOne('a', { priority: 5 }),
      ]);
      await end(first);
      const { admitted } = await admit('a', { numbers: { concurrency: 2 } });
      expect(admitted).toContain(high.id);
      expect([low.id, same.id].filter((id) => admitted.includes(id))).toHaveLength(1);
    });

    test('of one statement, as many begin as there are slots', async () => {
      const numbers = { concurrency: 2 };
      const started = await start([1, 2, 3].map(() => item('a', { numbers })));
      expect(started.map(({ fate }) => fate)).toEqual(['begins', 'begins', 'waits']);
      expect((await startOne('a', { numbers })).fate).toBe('waits');
    });

    test('that starts later takes no slot before it is due', async () => {
      const { id, fate } = await startOne('a', { delayMs: 3_600_000 });
      expect(fate).toBe('waits');
      expect((await admit('a')).admitted).toEqual([]);
      expect((await startOne('a')).fate).toBe('begins');
      expect(await tested.statusesOf(id)).toEqual(['Ready', 'Ready']);
    });

    test('in a transaction waits, also if its key is free', async () => {
      const started = item('a');
      await tested.store.transaction(
        (own) =>
          own.within(async () => {
            const { waiting } = await tested.store.startIn(
              own.manager,
              [started],
              noLease(worker.claimant),
              'started',
              1_000,
            );
            expect(waiting).toEqual(new Set([started.id]));
          }),
        new AbortController().signal,
      );
      expect(await claimed()).toEqual([]);
      expect((await admit('a')).admitted).toEqual([started.id]);
      expect(await claimed()).toEqual([started.id, started.id]);
    });
  });

  describe('the slot of an execution', () => {
    test.each(['outcomes', 'cancel', 'timeout'] as const)('is free after %s', async (way) => {
      const { id } = await startOne('a');
      const { id: next } = await startOne('a');
      if (way === 'outcomes') await end(id);
      else if (way === 'cancel') await tested.store.cancel(id, null);
      else {
        await tested.behind.setDeadline(id, -1_000);
        const late = (await tested.store.pastDeadlines()).filter((row) => row.id === id);
        await tested.store.timeOut(late, () => ({}));
      }
      expect((await admit('a')).admitted).toEqual([next]);
      expect((await admit('a')).admitted).toEqual([]);
    });

    test('is held through waits of its tasks and a pause', async () => {
      const { id } = await startOne('a');
      await startOne('a');
      await worker.complete([outcomeOf(of(), id, 0)]);
      await tested.store.pause(id, null);
      expect((await admit('a')).admitted).toEqual([]);
    });

    test('is asked for again by a manual retry, behind those that wait', async () => {
      const { id: first } = await startOne('a');
      const { id: second } = await startOne('a');
      await tested.store.cancel(first, null);
      expect((await admit('a')).admitted).toEqual([second]);
      await retry(first);
      expect(await tasksOf(first)).toEqual([
        ['Ready', false],
        ['Ready', false],
      ]);
      expect((await admit('a')).admitted).toEqual([]);
      await tested.store.cancel(second, null);
      expect((await admit('a')).admitted).toEqual([first]);
      expect((await admit('a')).admitted).toEqual([]);
    });

    test('of an execution that was retried at once is free for the one that waits', async () => {
      const { id: first } = await startOne('a');
      const { id: second } = await startOne('a');
      await tested.behind.askedAt(second, -5_000);
      await tested.store.cancel(first, null);
      await retry(first);
      expect((await admit('a')).admitted).toEqual([second]);
    });

    test('is taken back by neither a pause nor a resume of one that waits', async () => {
      const { id: first } = await startOne('a');
      const { id: second } = await startOne('a');
      await tested.store.pause(second, null);
      await end(first);
      expect((await admit('a')).admitted).toEqual([]);
      await tested.store.resume(second);
      expect((await admit('a')).admitted).toEqual([second]);
    });

    test('is not needed by one that has expired while it waited', async () => {
      const { id: first } = await startOne('a');
      const limited = { startBefore: { at: null, inMs: 3_600_000 } };
      const { id: second, fate } = await startOne('a', limited);
      expect(fate).toBe('waits');
      const [waiting] = await tested.store.executions([second]);
      expect(waiting).toMatchObject({ startBefore: expect.any(Date), turn: { key: keyOf('a') } });
      const { id: third } = await startOne('a');
      await expire(second);
      const rows = await tested.rowsOf(second);
      expect(rows.execution).toMatchObject({ status: 'Cancelled', reason: 'expired' });
      await end(first);
      expect((await admit('a')).admitted).toEqual([third]);
    });

    test('is free after one that got it too late to begin has expired', async () => {
      const { id: first } = await startOne('a');
      const limited = { startBefore: { at: null, inMs: 3_600_000 } };
      const { id: second } = await startOne('a', limited);
      const { id: third } = await startOne('a');
      await tested.behind.setDeadline(second, -1_000);
      await end(first);
      expect((await admit('a')).admitted).toEqual([second]);
      const claims = await worker.claim([definitionId], 100);
      expect(claims.map(({ executionId, isExpired }) => [executionId, isExpired])).toEqual([
        [second, true],
        [second, true],
      ]);
      expect((await admit('a')).admitted).toEqual([]);
      await expire(second);
      expect((await admit('a')).admitted).toEqual([third]);
    });

    test('begins an execution with its start, whatever the time until which it must begin', async () => {
      const limited = { startBefore: { at: null, inMs: 3_600_000 } };
      const [first, second] = await start([item('a', limited), item('b')]);
      expect([first?.fate, second?.fate]).toEqual(['begins', 'begins']);
      const [read] = await tested.store.executions([first!.id]);
      expect(read).toMatchObject({ status: 'Running', startBefore: null, turn: null });
    });

    test('is asked for by each of many that are retried, and by no other', async () => {
      const [{ id: first }, { id: second }] = [await startOne('a'), await startOne('b')];
      const free = await worker.startOne(of());
      for (const id of [first, second, free]) await tested.store.cancel(id, null);
      const { reset } = await tested.store.bulk.reset([free, first, second], () =>
        Promise.resolve(RESET),
      );
      expect(reset).toHaveLength(3);
      for (const id of [first, second]) {
        expect(await tasksOf(id)).toEqual([
          ['Ready', false],
          ['Ready', false],
        ]);
      }
      expect(await claimed()).toEqual([free, free]);
      expect((await admit('a')).admitted).toEqual([first]);
      expect((await admit('b')).admitted).toEqual([second]);
    });

    test('is not needed by one that was cancelled while it waited', async () => {
      const { id: first } = await startOne('a');
      const { id: second } = await startOne('a');
      await tested.store.cancel(second, null);
      await end(first);
      expect((await admit('a')).admitted).toEqual([]);
    });
  });

  describe('a start that is skipped', () => {
    test('names the execution of the key that began last', async () => {
      const { id } = await startOne('a', { skips: true });
      expect(await startOne('a', { skips: true }, other)).toMatchObject({
        fate: 'skipped',
        instead: id,
      });
      await end(id);
      expect((await startOne('a', { skips: true })).fate).toBe('begins');
    });

    test('stores nothing', async () => {
      await startOne('a', { skips: true });
      const { id } = await startOne('a', { skips: true });
      expect((await tested.store.statuses([id])).size).toBe(0);
    });

    test('of one statement names the one that begins', async () => {
      const [first, second] = await start([1, 2].map(() => item('a', { skips: true })));
      expect([first?.fate, second]).toEqual([
        'begins',
        { id: second?.id, fate: 'skipped', instead: first?.id },
      ]);
    });

    test('that is sent again finds its own execution', async () => {
      const sent = item('a', { skips: true });
      await start([sent]);
      expect(await start([sent])).toEqual([{ id: sent.id, fate: 'skipped', instead: sent.id }]);
      expect((await startOne('a', { skips: true })).instead).toBe(sent.id);
    });

    test('finds the execution with its idempotency key', async () => {
      const keyed = { skips: true, idempotencyKey: `${workflow}-1`, numbers: { concurrency: 2 } };
      const { id } = await startOne('a', keyed);
      const { id: last } = await startOne('a', { ...keyed, idempotencyKey: null });
      expect(await startOne('a', keyed)).toMatchObject({ fate: 'skipped', instead: id });
      expect(last).not.toBe(id);
    });
  });

  describe('superseded executions', () => {
    test('are all but the newest of those that wait', async () => {
      const { id: running } = await startOne('a');
      const { id: old } = await startOne('a');
      await tested.behind.askedAt(old, -5_000);
      const { id: newer } = await startOne('a');
      await end(running);
      const found = await admit('a', { supersedes: 'waiting' });
      expect(found).toMatchObject({
        admitted: [],
        superseded: [{ id: old, newer }],
        key: { fate: 'more' },
      });
      await tested.store.cancel(old, null);
      expect((await admit('a', { supersedes: 'waiting' })).admitted).toEqual([newer]);
    });

    test('are the oldest of those that run too, as many as newer ones need', async () => {
      const numbers = { concurrency: 2 };
      const [first, second] = await start([1, 2].map(() => item('a', { numbers })));
      await tested.behind.askedAt(first!.id, -9_000);
      await tested.behind.askedAt(second!.id, -5_000);
      const { id: third } = await startOne('a', { numbers });
      const look = { numbers, supersedes: 'all' } as const;
      expect((await admit('a', look)).superseded).toEqual([{ id: first!.id, newer: third }]);
      await tested.store.cancel(first!.id, null);
      expect(await admit('a', look)).toMatchObject({ admitted: [third], superseded: [] });
    });
  });

  describe('a rate', () => {
    // So slow that no token comes while the test runs.
    const numbers = { concurrency: 100, rate: { limit: 1, perMs: 3_600_000, burst: 2 } };

    test('lets as many executions begin at once as its burst, and the others wait', async () => {
      const started = await start([1, 2, 3].map(() => item('a', { numbers })));
      expect(started.map(({ fate }) => fate)).toEqual(['begins', 'begins', 'waits']);
      await end(started[0]!.id);
      const { admitted, key } = await admit('a', { numbers });
      expect(admitted).toEqual([]);
      expect(key?.tokenInMs).toBeGreaterThan(3_000_000);
    });

    test('skips the starts above it', async () => {
      const asking = { numbers, skips: true };
      const { id: first } = await startOne('a', asking);
      await end(first);
      const { id: second } = await startOne('a', asking);
      await end(second);
      expect(await startOne('a', asking)).toMatchObject({ fate: 'skipped', instead: second });
    });

    test('that is set rules at once, also if the next token of a slower one is far away', async () => {
      const slow = { concurrency: 100, rate: { ...numbers.rate, burst: 1 } };
      const started = await start([1, 2].map(() => item('a', { numbers: slow })));
      expect(started.map(({ fate }) => fate)).toEqual(['begins', 'waits']);
      const rate = { limit: 1_000, perMs: 1_000, burst: 1 };
      await tested.store.limits.setKey(keyOf('a'), { rate });
      let { admitted, key } = await admit('a', { numbers: slow });
      expect(key?.tokenInMs ?? 0).toBeLessThanOrEqual(1);
      while (admitted.length === 0) ({ admitted, key } = await admit('a', { numbers: slow }));
      expect(admitted).toEqual([started[1]!.id]);
    });
  });

  describe('the end of an execution', () => {
    const bitsOf = async (id: string) =>
      (await tested.store.children.unsettled(1_000, null)).find((row) => row.id === id)?.bits ?? 0;

    test('is unsettled until its key is looked at', async () => {
      const { id } = await startOne('a');
      expect(await bitsOf(id)).toBe(0);
      const { ended } = await end(id);
      expect(ended[0]?.unsettled).toBe(ADMIT_NEXT);
      expect(await bitsOf(id)).toBe(ADMIT_NEXT);
      expect(await tested.store.admissions.keysOf([id])).toEqual(new Map([[id, keyOf('a')]]));
      await admit('a', { ended: [id] });
      expect(await bitsOf(id)).toBe(0);
    });

    test('is unsettled again after a manual retry', async () => {
      const { id } = await startOne('a');
      await tested.store.cancel(id, null);
      await admit('a', { ended: [id] });
      await retry(id);
      await admit('a');
      await tested.store.cancel(id, null);
      expect((await bitsOf(id)) & ADMIT_NEXT).toBe(ADMIT_NEXT);
    });
  });

  test('keys with executions that wait are found in their order', async () => {
    for (const key of ['b', 'a']) {
      await startOne(key);
      await startOne(key);
    }
    await startOne('c');
    const behind = keyOf('a').slice(0, -1);
    const find = (after: string, count: number) =>
      tested.store.admissions.waitingKeys(after, count);
    expect((await find(behind, 2)).slice(0, 2)).toEqual([keyOf('a'), keyOf('b')]);
    expect(await find(keyOf('b'), 2)).not.toContain(keyOf('c'));
  });

  test('a key shows who has its slots, and how many wait', async () => {
    const { id } = await startOne('a');
    await startOne('a');
    expect(await tested.store.admissions.states([keyOf('a'), keyOf('unknown')])).toEqual([
      { key: keyOf('a'), ...NONE_SET, holders: [id], waiting: 1, tokenInMs: null },
    ]);
    await tested.store.cancel(id, null);
    expect((await tested.store.admissions.states([keyOf('a')]))[0]?.holders).toEqual([]);
  });

  describe('numbers that are set', () => {
    const set = (change: LimitChange, key?: string) =>
      key === undefined
        ? tested.store.limits.setLimit(admissionLimitName(workflow), change)
        : tested.store.limits.setKey(keyOf(key), change);

    test('hold for starts and looks, those of the key before those of the workflow', async () => {
      await set({ concurrency: 2 });
      await set({ concurrency: 3 }, 'b');
      const fates = async (key: string) =>
        (await start(Array.from({ length: 4 }, () => item(key)))).map(({ fate }) => fate);
      expect(await fates('a')).toEqual(['begins', 'begins', 'waits', 'waits']);
      expect(await fates('b')).toEqual(['begins', 'begins', 'begins', 'waits']);
      await set({ concurrency: 4 }, 'a');
      expect((await admit('a')).admitted).toHaveLength(2);
      await set({ concurrency: null }, 'a');
      await set({ concurrency: null });
      await startOne('a');
      expect((await admit('a')).admitted).toEqual([]);
    });

    test('may let none begin', async () => {
      await set({ concurrency: 0 });
      expect((await startOne('a')).fate).toBe('waits');
      expect((await admit('a')).admitted).toEqual([]);
    });

    test('may be a rate', async () => {
      await set({ rate: { limit: 1, perMs: 3_600_000, burst: 1 } });
      const numbers = { concurrency: 9 };
      expect((await startOne('a', { numbers })).fate).toBe('begins');
      expect((await startOne('a', { numbers })).fate).toBe('waits');
      const { key: found } = await admit('a', { numbers });
      expect(found?.tokenInMs).toBeGreaterThan(3_000_000);
    });

    test('are listed with the keys', async () => {
      await set({ concurrency: 2 });
      const first = await startOne('a');
      await startOne('b');
      const page = { workflow, after: null, count: 1 };
      expect(await tested.store.admissions.page(page)).toEqual([
        {
          key: keyOf('a'),
          ...NONE_SET,
          concurrency: 2,
          holders: [first.id],
          waiting: 0,
          tokenInMs: null,
        },
      ]);
      const behind = await tested.store.admissions.page({ ...page, after: keyOf('a'), count: 9 });
      expect(behind.map(({ key }) => key)).toEqual([keyOf('b')]);
      const all = await tested.store.admissions.page({ ...page, workflow: null, count: 1_000 });
      expect(all.map(({ key }) => key)).toEqual(expect.arrayContaining([keyOf('a'), keyOf('b')]));
      const limits = await tested.store.limits.keys({ name: null, after: null, count: 1_000 });
      expect(limits.filter(({ limitKey }) => limitKey === keyOf('a'))).toEqual([]);
    });
  });

  async function retry(id: string): Promise<void> {
    await tested.store.reset(id, () => Promise.resolve(RESET));
  }

  /** Ends an execution whose time to begin has passed. */
  async function expire(id: string): Promise<void> {
    await tested.behind.setDeadline(id, -1_000);
    const late = (await tested.store.pastDeadlines()).filter((row) => row.id === id);
    await tested.store.timeOut(late, () => ({}));
  }
}
