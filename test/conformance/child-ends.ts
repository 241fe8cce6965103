import { describe, expect, test } from '@jest/globals';
import {
  END_CHILDREN,
  FIRST_TOKEN,
  TELL_PARENTS,
  type WokenTask,
} from '../../lib/store/port/index.js';
import { Family, keyOf } from './child-family.js';
import { noteClaim } from './last-token.js';
import type { TestedStore } from './tested-store.js';
import {
  failureOf,
  itemOutcomeOf,
  noLease,
  outcomeOf,
  parallel,
  rescheduleOf,
} from './workflows.js';

/** Ends the child in one way. Returns the bits that the ending statement returned. */
type Ending = (family: Family, childId: string, parentId: string) => Promise<number | undefined>;

interface TerminalPath {
  /** The statement of the store on PostgreSQL that sets `completed_at`. */
  readonly statement: string;
  readonly end: Ending;
  /** The stored end that the waiting step gets; null for a child that completed. */
  readonly result: object | null;
}

/**
 * Every way in which an execution ends. A test of the store on PostgreSQL reads the statements for others, so a way that
 * is added has to come here too.
 */
export const TERMINAL_PATHS: readonly (readonly [name: string, path: TerminalPath])[] = [
  [
    'an outcome that completes it',
    {
      statement: 'complete-tasks.ts',
      end: async ({ worker, of }, child) =>
        (await worker.complete([outcomeOf(of, child, 0)])).ended[0]?.unsettled,
      result: null,
    },
  ],
  [
    'an outcome that fails it',
    {
      statement: 'complete-tasks.ts',
      end: async ({ worker, of }, child) =>
        (await worker.complete([failureOf(of, child, 0)])).ended[0]?.unsettled,
      result: {
        status: 'Failed',
        workflow: 'test',
        reason: null,
        error: { name: 'Error', message: 'task 0' },
      },
    },
  ],
  [
    'the outcome in the transaction of a task',
    {
      statement: 'complete-tasks.ts',
      end: async ({ tested, of }, child) => {
        const { signal } = new AbortController();
        const { ended } = await tested.store.transaction(
          (transaction) => transaction.complete([outcomeOf(of, child, 0)], noLease()),
          signal,
        );
        return ended[0]?.unsettled;
      },
      result: null,
    },
  ],
  [
    'its abandonment, after it was lost too often',
    {
      statement: 'complete-tasks.ts',
      end: async ({ tested, worker, of }, child) => {
        const owner = '00000000-0000-4000-8000-000000000001';
        await tested.behind.changeTask(child, 0, { owner, recoveryAttempts: 9 });
        const how = { limit: 10, maxRecoveryAttempts: 3, cause: 'leaseOver', orphanedForMs: 1 };
        const [orphan] = await tested.store.recovery.takeOrphans(
          owner,
          how,
          noLease(worker.claimant),
        );
        const { token = 0 } = orphan ?? {};
        expect(orphan).toMatchObject({ abandoned: true });
        const { ended } = await worker.complete([failureOf(of, child, 0, { token })]);
        return ended[0]?.unsettled;
      },
      result: { status: 'Failed', workflow: 'test', reason: null, error: expect.any(Object) },
    },
  ],
  [
    'a cancel',
    {
      statement: 'control-execution.ts',
      end: async ({ tested }, child) => (await tested.store.cancel(child, 'enough')).unsettled,
      result: { status: 'Cancelled', workflow: 'test', reason: 'enough', error: null },
    },
  ],
  [
    'the timeout of its workflow',
    {
      statement: 'time-outs.ts',
      end: async ({ tested }, child) => {
        await tested.behind.setDeadline(child, -1_000);
        const page = (await tested.store.pastDeadlines()).filter(({ id }) => id === child);
        const ended = await tested.store.timeOut(page, () => ({ name: 'late' }));
        return ended?.[0]?.unsettled;
      },
      result: { status: 'Failed', workflow: 'test', reason: null, error: { name: 'late' } },
    },
  ],
  [
    'the end of its parent',
    {
      statement: 'end-children.ts',
      end: async ({ tested }, child, parent) => {
        await tested.store.cancel(parent, null);
        const page = await tested.store.children.endChildren(parent, 'gone', null);
        return page.cancelled.find(({ id }) => id === child)?.unsettled;
      },
      result: { status: 'Cancelled', workflow: 'test', reason: 'gone', error: null },
    },
  ],
];

export function describeChildEnds(tested: TestedStore): void {
  const tell = (...ids: string[]): Promise<WokenTask[]> => tested.store.children.tellParents(ids);
  /** Retries the execution's only task, which keeps its steps unless told. */
  const reset = (id: string, keepsSteps = true): Promise<number | undefined> =>
    tested.store.reset(id, () =>
      Promise.resolve({
        tasks: [{ taskNo: 0, pendingDependencies: 0, unmetDependencies: 0, keepsSteps }],
        leaves: 1,
      }),
    );

  describe.each(TERMINAL_PATHS)('a child that is ended by %s', (_, { end, result }) => {
    test('leaves a row that is found, and wakes a parent that waits', async () => {
      const family = new Family(tested, { timeoutMs: 3_600_000 });
      const { id, children } = await family.asleep();
      const child = children[0]!;
      await tested.behind.changeTask(id, 0, { attempt: 2 });
      const bits = await end(family, child, id);
      expect(bits).toBe(TELL_PARENTS);
      const [left] = await tested.behind.session.unsettled([tested.store.handle]);
      expect(left).toContainEqual(expect.objectContaining({ id: child, bits: TELL_PARENTS }));

      const woken = await tell(child);
      const { execution } = await tested.rowsOf(id);
      const isOver = execution?.status === 'Cancelled';
      expect(woken).toEqual(isOver ? [] : [{ ...keyOf(id), isDue: true }]);
      const [step] = await family.stepsOf(id);
      expect(step).toMatchObject({ status: result === null ? 'Done' : 'Failed' });
      expect(JSON.parse(step?.result ?? 'null')).toEqual(result);
      expect(await family.unsettledOf(child)).toBe(0);
      if (isOver) return;
      // It is progress: the failed attempts before it no longer count.
      const woken1 = { status: 'Waiting', wakes: 1, attempt: 0 };
      expect(await tested.taskOf(id, 0)).toMatchObject(woken1);
      const claims = await family.worker.claim([family.of.plan.definitionId], 10);
      expect(claims.map(({ executionId }) => executionId)).toContain(id);
    });
  });

  test('ends that are left are read page by page, by id', async () => {
    const family = new Family(tested);
    const { children } = await family.asleep(3);
    for (const child of children) await tested.store.cancel(child, null);
    const ids = [...children].sort();
    const before = previousId(ids[0]!);
    const { children: store } = tested.store;
    const first = await store.unsettled(2, before);
    expect(first.map(({ id }) => id)).toEqual(ids.slice(0, 2));
    const [next] = await store.unsettled(1, ids[1]!);
    expect(next).toMatchObject({ id: ids[2], bits: TELL_PARENTS });
    expect((await store.unsettled(1_000, null)).map(({ id }) => id)).toEqual(
      expect.arrayContaining(ids),
    );
  });

  test('a parent that is woken is claimed if it can run here, with its steps and the context of its child', async () => {
    const family = new Family(tested);
    const { id, children } = await family.asleep(2);
    const outcome = outcomeOf(family.of, children[0]!, 0, { finalContext: '{"a":1}' });
    await family.worker.complete([outcome]);
    const claims = {
      lease: noLease(family.worker.claimant),
      room: 1,
      definitions: [family.of.plan.definitionId],
      unknown: [],
    };
    const woken = await tested.store.children.tellParents([children[0]!], false, claims);
    expect(woken).toEqual([
      { ...keyOf(id), isDue: false, claim: expect.objectContaining({ ...keyOf(id), wakes: 1 }) },
    ]);
    const { claim } = woken[0]!;
    noteClaim(id, 0, claim!.token);
    const steps = claim?.steps?.toSorted((a, b) => (a.name < b.name ? -1 : 1));
    expect(steps).toMatchObject([
      { name: 'child#0', status: 'Done', result: null, childContext: '{"a":1}' },
      { name: 'child#1', status: 'Open', childId: children[1] },
    ]);
    const { owner } = await tested.taskOf(id, 0);
    expect(owner).toBe(family.worker.claimant.instanceId);
  });

  test('a child that was deleted wakes a parent that waits', async () => {
    const family = new Family(tested);
    const { id, children } = await family.asleep(2);
    await tested.behind.deleteExecution(children[0]!);
    const woken = await tested.store.children.tellMissing(100);
    expect(woken).toContainEqual({ ...keyOf(id), isDue: true });
    const [gone, there] = await family.stepsOf(id);
    expect(gone).toMatchObject({ status: 'Failed', result: expect.stringContaining('Missing') });
    expect(there).toMatchObject({ status: 'Open' });
  });

  test('a parent that runs is told by its counter', async () => {
    const family = new Family(tested);
    const id = await family.parent();
    const child = await family.started(id, 'a');
    await family.worker.complete([outcomeOf(family.of, child, 0)]);
    expect(await tell(child)).toEqual([{ ...keyOf(id), isDue: false }]);
    const { store } = tested;
    const suspension = {
      ...keyOf(id),
      token: FIRST_TOKEN,
      kind: 'suspend',
      delayMs: null,
    } as const;
    expect(await store.reschedule([{ ...suspension, wakes: 0, error: undefined }])).toEqual([
      'woken',
    ]);
    expect(await tested.taskOf(id, 0)).toMatchObject({ run_at: expect.any(Date) });
  });

  test('an end is told once, and again only on request', async () => {
    const family = new Family(tested);
    const { children } = await family.asleep();
    await family.worker.complete([outcomeOf(family.of, children[0]!, 0)]);
    expect(await tell(children[0]!)).toHaveLength(1);
    expect(await tell(children[0]!)).toEqual([]);
    expect(await tested.store.children.tellParents(children, true)).toEqual([]);
  });

  test('of several children that are waited for together, the last one wakes the parent', async () => {
    const family = new Family(tested);
    const { id, children } = await family.asleep(3, 3);
    const [a, b, c] = children as [string, string, string];
    const end = (child: string) => family.worker.complete([outcomeOf(family.of, child, 0)]);
    await end(a);
    expect(await tell(a)).toEqual([{ ...keyOf(id), isDue: false }]);
    expect(await tested.taskOf(id, 0)).toMatchObject({ run_at: null, pending_dependencies: 2 });
    await Promise.all([end(b), end(c)]);
    const woken = (await Promise.all([tell(b), tell(c)])).flat();
    expect(woken.filter(({ isDue }) => isDue)).toHaveLength(1);
    expect(await tested.taskOf(id, 0)).toMatchObject({
      run_at: expect.any(Date),
      pending_dependencies: 0,
      wakes: 3,
    });
  });

  test('an execution that does not wait for all is woken by the first', async () => {
    const family = new Family(tested);
    const { id, children } = await family.asleep(2);
    await family.worker.complete([outcomeOf(family.of, children[1]!, 0)]);
    expect(await tell(children[1]!)).toEqual([{ ...keyOf(id), isDue: true }]);
  });

  describe('the children of an execution that ended', () => {
    async function withChildren(): Promise<{ family: Family; id: string; children: string[] }> {
      const family = new Family(tested);
      const id = await family.parent();
      const waits = false;
      const children = [
        await family.started(id, 'a', { parent: { waits } }),
        await family.started(id, 'b', { parent: { waits }, onParentEnd: 'abandon' }),
        await family.started(id, 'c', { parent: { waits }, of: parallel(3) }),
      ];
      return { family, id, children };
    }
    const end = (id: string, after: string | null = null) =>
      tested.store.children.endChildren(id, 'gone', after);
    const statuses = async (ids: readonly string[]): Promise<unknown[]> => {
      const found = await tested.store.statuses(ids);
      return ids.map((id) => found.get(id));
    };

    test('without success are cancelled, except those to abandon', async () => {
      const { id, children, family } = await withChildren();
      expect(await tested.store.cancel(id, null)).toMatchObject({ unsettled: END_CHILDREN });
      const page = await end(id);
      const [a, , c] = children as [string, string, string];
      expect(page).toEqual({
        last: c,
        skipped: 0,
        cancelled: expect.arrayContaining([
          { id: a, workflow: 'test', hasWaiters: false, wasRunning: true, unsettled: 0 },
          { id: c, workflow: 'test', hasWaiters: false, wasRunning: true, unsettled: 0 },
        ]),
      });
      expect(await statuses(children)).toEqual(['Cancelled', 'Running', 'Cancelled']);
      const rows = await tested.rowsOf(c);
      expect(rows.tasks.map(({ status }) => status)).toEqual([
        'Cancelled',
        'Cancelled',
        'Cancelled',
      ]);
      expect(rows.events).toEqual([expect.objectContaining({ kind: 'cancelled' })]);
      expect(await end(id)).toEqual({ last: null, skipped: 0, cancelled: [] });
      await tested.store.children.childrenEnded([id]);
      expect(await family.unsettledOf(id)).toBe(0);
    });

    test('are left while it runs, and the bit stays as long as one is open', async () => {
      const { id, children, family } = await withChildren();
      expect(await end(id)).toEqual({ last: null, skipped: 0, cancelled: [] });
      await tested.store.children.childrenEnded([id]);
      expect(await family.unsettledOf(id)).toBe(END_CHILDREN);
      await tested.store.cancel(id, null);
      await tested.store.children.childrenEnded([id]);
      expect(await family.unsettledOf(id)).toBe(END_CHILDREN);
      expect(await statuses(children)).toEqual(['Running', 'Running', 'Running']);
    });

    test('with success continue, and nothing is left to do', async () => {
      const { family, id, children } = await withChildren();
      const { ended } = await family.worker.complete([outcomeOf(family.of, id, 0)]);
      expect(ended).toEqual([expect.objectContaining({ status: 'Completed', unsettled: 0 })]);
      expect(await end(id)).toEqual({ last: null, skipped: 0, cancelled: [] });
      expect(await statuses(children)).toEqual(['Running', 'Running', 'Running']);
    });

    test('are read page by page', async () => {
      const { id, children } = await withChildren();
      await tested.store.cancel(id, null);
      const [a, , c] = children as [string, string, string];
      const page = await end(id, a);
      expect(page.cancelled.map((child) => child.id)).toEqual([c]);
      expect(await end(id, c)).toMatchObject({ last: null });
    });
  });

  describe('the children of the items of a map', () => {
    /** A map of three items, each of which has started a child. The map runs when the last item has ended. */
    async function withItems() {
      const family = new Family(tested);
      const id = await family.parent();
      await tested.behind.addItems(id, 0, 3);
      const items = (await family.worker.claim([family.of.plan.definitionId], 10)).toSorted(
        (a, b) => a.itemNo - b.itemNo,
      );
      const children: string[] = [];
      for (const { itemNo, token } of items) {
        children.push(await family.started(id, 'child', { parent: { itemNo, token } }));
      }
      const failed = { status: 'Failed', detail: { error: {} }, claim: false } as const;
      await family.worker.complete([itemOutcomeOf(items[0]!, failed)]);
      const cancel = { executionId: id, taskNo: 0, token: null, generation: 0, below: 4 };
      await tested.store.items.cancel(cancel);
      const [map] = (await family.worker.claim([family.of.plan.definitionId], 10)).filter(
        ({ executionId }) => executionId === id,
      );
      return { family, id, children, token: map!.token };
    }

    test('that were cancelled are cancelled, and no others', async () => {
      const { id, children, token } = await withItems();
      const key = { executionId: id, taskNo: 0, itemNo: 0, token };
      const [first, second, third] = children as [string, string, string];
      const page = await tested.store.children.endItemChildren(key, 'gone', null);
      expect(page.cancelled.map((child) => child.id).toSorted()).toEqual(
        [second, third].toSorted(),
      );
      expect(await tested.store.children.endItemChildren(key, 'gone', null)).toMatchObject({
        last: null,
        cancelled: [],
      });
      const statuses = await tested.store.statuses(children);
      expect(statuses.get(first)).toBe('Running');
    });

    test('are left alone by a process that has lost the claim of the map', async () => {
      const { id, children, token } = await withItems();
      const key = { executionId: id, taskNo: 0, itemNo: 0, token: token + 1 };
      expect(await tested.store.children.endItemChildren(key, 'gone', null)).toMatchObject({
        cancelled: [],
      });
      const statuses = await tested.store.statuses(children);
      expect(new Set(statuses.values())).toEqual(new Set(['Running']));
    });
  });

  describe('a manual retry', () => {
    test('of a parent opens the waits for children that did not complete', async () => {
      const family = new Family(tested);
      const { id, children } = await family.asleep(3);
      const [done, failed, open] = children as [string, string, string];
      await family.worker.complete([outcomeOf(family.of, done, 0)]);
      await family.worker.complete([failureOf(family.of, failed, 0)]);
      await tell(done, failed);
      await tested.store.cancel(id, null);
      await tested.store.children.endChildren(id, 'gone', null);
      // The end of the third one is not told yet.
      await reset(id);
      expect(await family.stepsOf(id)).toMatchObject([
        { childId: done, status: 'Done', result: null },
        { childId: failed, status: 'Open', result: expect.stringMatching(/"retryFrom" ?: ?0/) },
        { childId: open, status: 'Open', result: expect.stringMatching(/"retryFrom" ?: ?0/) },
      ]);
      // The former ends do not count for the new run.
      expect(await tell(failed, open)).toEqual([]);
      expect(await family.unsettledOf(id)).toBe(END_CHILDREN | TELL_PARENTS);

      await reset(failed);
      expect(await family.unsettledOf(failed)).toBe(TELL_PARENTS);
      const [claim] = (await family.worker.claim([family.of.plan.definitionId], 10)).filter(
        ({ executionId }) => executionId === failed,
      );
      await family.worker.complete([outcomeOf(family.of, failed, 0, { token: claim!.token })]);
      await tell(failed);
      expect((await family.stepsOf(id))[1]).toMatchObject({ status: 'Done' });
    });

    test('of a parent whose steps are discarded forgets its children', async () => {
      const family = new Family(tested);
      const { id, children } = await family.asleep();
      await tested.store.cancel(id, null);
      await tested.store.children.endChildren(id, 'gone', null);
      await reset(id, false);
      expect(await family.stepsOf(id)).toEqual([]);
      expect(await tell(children[0]!)).toEqual([]);
    });

    test('of a child tells its next end, if the parent still waits', async () => {
      const family = new Family(tested);
      const { id, children } = await family.asleep();
      const child = children[0]!;
      await family.worker.complete([failureOf(family.of, child, 0)]);
      await reset(child);
      expect(await tell(child)).toEqual([]);
      expect(await family.stepsOf(id)).toEqual([expect.objectContaining({ status: 'Open' })]);
      const [claim] = await family.worker.claim([family.of.plan.definitionId], 10);
      await family.worker.complete([outcomeOf(family.of, child, 0, { token: claim!.token })]);
      expect(await tell(child)).toEqual([{ ...keyOf(id), isDue: true }]);
    });
  });

  test('an execution without a parent that is retried tells those that wait for it since', async () => {
    const family = new Family(tested);
    const [attached, id] = [await family.parent(), await family.parent()];
    const parent = { ...keyOf(id), token: FIRST_TOKEN, step: 'a', waits: true };
    await tested.store.children.attachChildren([{ parent, childId: attached }]);
    await family.sleep(id);
    await family.worker.complete([failureOf(family.of, attached, 0)]);
    await tell(attached);
    await tested.store.cancel(id, null);
    await reset(attached);
    await reset(id);
    const claims = await family.worker.claim([family.of.plan.definitionId], 10);
    const tokenOf = (execution: string) =>
      claims.find(({ executionId }) => executionId === execution)?.token ?? 0;
    const token = tokenOf(id);
    await tested.store.reschedule([
      rescheduleOf('suspend', id, 0, { token, delayMs: null, wakes: 1 }),
    ]);
    const end = outcomeOf(family.of, attached, 0, { token: tokenOf(attached) });
    expect((await family.worker.complete([end])).ended).toMatchObject([
      { unsettled: TELL_PARENTS },
    ]);
    expect(await tell(attached)).toEqual([{ ...keyOf(id), isDue: true }]);
  });

  test('a session finds out which tenants have children', async () => {
    await new Family(tested).asleep();
    expect(await tested.behind.session.useChildren([tested.store.handle])).toEqual([true]);
  });

  test('a session finds out which tenants have tasks that wait for deleted children', async () => {
    await tested.behind.empty();
    const { children } = await new Family(tested).asleep(2);
    const used = () => tested.behind.session.useChildren([tested.store.handle]);
    for (const child of children) await tested.behind.deleteExecution(child);
    expect(await used()).toEqual([true]);
    await tested.store.children.tellMissing(100);
    expect(await used()).toEqual([false]);
  });

  test('a session finds out which tenants have ends that attached tasks wait for', async () => {
    await tested.behind.empty();
    const family = new Family(tested);
    const [attached, id] = [await family.parent(), await family.parent()];
    const parent = { ...keyOf(id), token: FIRST_TOKEN, step: 'a', waits: true };
    await tested.store.children.attachChildren([{ parent, childId: attached }]);
    await family.sleep(id);
    await family.worker.complete([outcomeOf(family.of, attached, 0)]);
    const used = () => tested.behind.session.useChildren([tested.store.handle]);
    expect(await used()).toEqual([true]);
    await tell(attached);
    expect(await used()).toEqual([false]);
  });
}

/** An id right before another one. */
function previousId(id: string): string {
  const last = Number.parseInt(id.slice(-8), 16);
  return (
    id.slice(0, -8) +
    Math.max(0, last - 1)
      .toString(16)
      .padStart(8, '0')
  );
}
