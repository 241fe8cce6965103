import { beforeEach, describe, expect, test } from '@jest/globals';
import {
  END_CHILDREN,
  FIRST_TOKEN,
  MAX_DEPTH,
  TELL_PARENTS,
  type ChildStart,
} from '../../lib/store/port/index.js';
import { Family, keyOf, newId } from './child-family.js';
import type { TestedStore } from './tested-store.js';
import { noLease, outcomeOf, rescheduleOf } from './workflows.js';

export function describeChildren(tested: TestedStore): void {
  let family: Family;
  let id: string;
  beforeEach(async () => {
    family = new Family(tested);
    id = await family.parent();
  });
  const { signal } = new AbortController();

  test('a child starts with the step that waits for it, below its parent', async () => {
    const child = family.child(id, 'render', { onParentEnd: 'abandon' });
    expect(await family.start([child])).toMatchObject({ children: [{ fate: 'started' }] });
    expect(await tested.rowsOf(child.item.id)).toMatchObject({
      execution: {
        status: 'Running',
        depth: 1,
        unsettled: TELL_PARENTS,
        parent_execution_id: id,
        parent_task_no: 0,
        parent_item_no: 0,
        parent_step: 'render',
        root_execution_id: id,
        on_parent_end: 'abandon',
      },
      tasks: [{ status: 'Running', claim_token: FIRST_TOKEN }],
    });
    expect(await family.stepsOf(id)).toEqual([
      expect.objectContaining({
        name: 'render',
        kind: 'child',
        status: 'Open',
        childId: child.item.id,
      }),
    ]);
    expect(await family.unsettledOf(id)).toBe(END_CHILDREN);
    expect(await tested.taskOf(id, 0)).toMatchObject({ has_steps: true });
  });

  test('a child that nothing waits for tells no parent, and its step is over', async () => {
    const child = await family.started(id, 'mail', { parent: { waits: false } });
    expect(await family.unsettledOf(child)).toBe(0);
    expect(await family.stepsOf(id)).toEqual([
      expect.objectContaining({ status: 'Done', childId: child }),
    ]);
  });

  test('gets its own tags, or those of its parent', async () => {
    const own = family.child(id, 'own', { inheritsTags: false, item: { tags: '{"of":"child"}' } });
    const none = family.child(id, 'none', { inheritsTags: false });
    const inherited = family.child(id, 'inherited');
    const { children } = await family.start([inherited, none, own]);
    expect(children.map(({ tags }) => tags && JSON.parse(tags))).toEqual([
      { of: 'parent' },
      null,
      { of: 'child' },
    ]);
    const rows = await tested.store.executions([inherited.item.id]);
    expect(rows.map(({ tags }) => JSON.parse(tags ?? 'null'))).toEqual([{ of: 'parent' }]);
  });

  test('a start that is sent again, or by a repeated run, starts no second child', async () => {
    const first = family.child(id, 'once');
    await family.start([first]);
    expect(await family.start([first])).toMatchObject({ children: [{ fate: 'exists' }] });
    const second = family.child(id, 'once');
    expect(await family.start([second])).toMatchObject({ children: [{ fate: 'exists' }] });
    expect(await tested.store.executions([second.item.id])).toEqual([]);
    expect(await family.stepsOf(id)).toEqual([expect.objectContaining({ childId: first.item.id })]);
  });

  test('a claim that is lost starts nothing, beside one that is held', async () => {
    const other = await family.parent();
    await tested.store.reschedule([rescheduleOf('giveBack', id, 0)]);
    const before = await tested.rowsOf(id);
    const batch = [family.child(id, 'late'), family.child(other, 'in time')].toSorted((a, b) =>
      a.parent.executionId < b.parent.executionId ? -1 : 1,
    );
    const { children } = await family.start(batch);
    const fates = batch.map(({ parent }, i) => [parent.step, children[i]?.fate]);
    expect(Object.fromEntries(fates)).toEqual({ late: 'refused', 'in time': 'started' });
    expect(await tested.rowsOf(id)).toEqual(before);
    expect(await family.stepsOf(id)).toEqual([]);
  });

  test('there is a deepest level', async () => {
    let above = id;
    for (let depth = 1; depth <= MAX_DEPTH; depth++) above = await family.started(above, 'down');
    expect((await tested.rowsOf(above)).execution).toMatchObject({
      depth: MAX_DEPTH,
      root_execution_id: id,
    });
    const child = family.child(above, 'down');
    expect(await family.start([child])).toMatchObject({ children: [{ fate: 'tooDeep' }] });
    expect(await tested.store.executions([child.item.id])).toEqual([]);
    expect(await family.stepsOf(above)).toEqual([]);
    expect(await tested.store.children.heldUpBy(above)).toHaveLength(MAX_DEPTH + 1);
    const tree = await tested.store.children.tree(id, 100);
    expect(tree.map(({ depth }) => depth)).toEqual(
      Array.from({ length: MAX_DEPTH + 1 }, (_, n) => n),
    );
  });

  describe('with an idempotency key', () => {
    const keyed = (step: string, key: string): ChildStart =>
      family.child(id, step, { item: { idempotencyKey: key } });
    const start = (child: ChildStart) =>
      tested.store.children.startKeyedChild(child, noLease(), 1_000);

    test('starts once, without a step', async () => {
      const key = newId();
      expect(await start(keyed('a', key))).toMatchObject({ children: [{ fate: 'started' }] });
      expect(await start(keyed('b', key))).toMatchObject({ children: [{ fate: 'exists' }] });
      expect(await family.stepsOf(id)).toEqual([]);
      await tested.store.reschedule([rescheduleOf('giveBack', id, 0)]);
      expect(await start(keyed('c', newId()))).toMatchObject({ children: [{ fate: 'refused' }] });
    });

    test('is attached to the steps of several parents, and its end wakes all of them', async () => {
      const other = await family.parent();
      const child = keyed('a', newId());
      await start(child);
      const childId = child.item.id;
      const parents = [id, other].toSorted();
      const attachments = parents.map((executionId) => ({
        parent: { ...keyOf(executionId), token: FIRST_TOKEN, step: 'a', waits: true },
        childId,
      }));
      expect(await tested.store.children.attachChildren(attachments)).toEqual([true, true]);
      expect(await tested.store.children.attachChildren(attachments)).toEqual([true, true]);
      for (const parent of parents) await family.sleep(parent);
      await family.worker.complete([outcomeOf(family.of, childId, 0)]);
      const woken = await tested.store.children.tellParents([childId]);
      expect(woken.map(({ executionId, isDue }) => [executionId, isDue]).toSorted()).toEqual(
        parents.map((parent) => [parent, true]),
      );
    });

    test('holds up those that are attached to it, and those that wait for them', async () => {
      const [top, attached] = [await family.parent(), await family.parent()];
      const between = await family.started(top, 'between');
      const parent = { ...keyOf(between), token: FIRST_TOKEN, step: 'a', waits: true };
      await tested.store.children.attachChildren([{ parent, childId: attached }]);
      const held = async (execution: string) =>
        (await tested.store.children.heldUpBy(execution)).toSorted();
      expect(await held(attached)).toEqual([top, between, attached].toSorted());
      expect(await held(top)).toEqual([top]);
      await family.worker.complete([outcomeOf(family.of, attached, 0)]);
      await tested.store.children.tellParents([attached]);
      expect(await held(attached)).toEqual([attached]);
    });

    test('is progress if nothing waits for it, as a child that is started', async () => {
      await tested.behind.changeTask(id, 0, { attempt: 2, recoveryAttempts: 1 });
      const attach = (step: string, waits: boolean) =>
        tested.store.children.attachChildren([
          { parent: { ...keyOf(id), token: FIRST_TOKEN, step, waits }, childId: newId() },
        ]);
      await attach('waits', true);
      expect(await tested.taskOf(id, 0)).toMatchObject({ attempt: 2, recovery_attempts: 1 });
      await attach('starts', false);
      expect(await tested.taskOf(id, 0)).toMatchObject({ attempt: 0, recovery_attempts: 0 });
    });

    test('is not attached for a claim that is lost', async () => {
      await tested.store.reschedule([rescheduleOf('giveBack', id, 0)]);
      const parent = { ...keyOf(id), token: FIRST_TOKEN, step: 'a', waits: true };
      const attached = tested.store.children.attachChildren([{ parent, childId: newId() }]);
      expect(await attached).toEqual([false]);
      expect(await family.stepsOf(id)).toEqual([]);
    });

    test('an execution that has ended before is found by its end', async () => {
      const ended = await family.parent();
      await family.worker.complete([outcomeOf(family.of, ended, 0)]);
      const parent = { ...keyOf(id), token: FIRST_TOKEN, step: 'a', waits: true };
      await tested.store.children.attachChildren([{ parent, childId: ended }]);
      expect(await tested.store.children.childEnds([ended, newId()])).toEqual([
        { id: ended, status: 'Completed', generation: 0, parentId: null },
      ]);
      await tested.store.children.tellParents([ended], true);
      expect(await family.stepsOf(id)).toEqual([expect.objectContaining({ status: 'Done' })]);
    });
  });

  describe('in the transaction of its parent', () => {
    test('exists with the outcome', async () => {
      const child = family.child(id, 'in it', { parent: { waits: false }, item: { claims: 0 } });
      await tested.store.children.markParent(id);
      await tested.store.transaction(async (transaction) => {
        const { children } = tested.store;
        const { manager } = transaction;
        const reply = await children.startChildIn(manager, child, noLease(), 'work', 1_000);
        expect(reply).toMatchObject({ children: [{ fate: 'started' }] });
        expect(await tested.store.executions([child.item.id])).toEqual([]);
        await transaction.complete([outcomeOf(family.of, id, 0)], noLease());
      }, signal);
      expect(await tested.rowsOf(child.item.id)).toMatchObject({
        execution: { status: 'Pending', parent_execution_id: id, depth: 1 },
        tasks: [{ status: 'Ready', owner: null }],
      });
      expect(await family.stepsOf(id)).toEqual([
        expect.objectContaining({ status: 'Done', childId: child.item.id }),
      ]);
    });

    test('has no more than one execution of its key', async () => {
      const item = { idempotencyKey: newId(), claims: 0 };
      const [first, second] = ['a', 'b'].map((step) =>
        family.child(id, step, { parent: { waits: false }, item }),
      );
      await tested.store.transaction(async ({ manager, complete }) => {
        const start = async (child: ChildStart) =>
          (await tested.store.children.startChildIn(manager, child, noLease(), 'work', 1_000))
            .children[0]?.fate;
        expect(await start(first!)).toBe('started');
        expect(await start(second!)).toBe('exists');
        await complete([outcomeOf(family.of, id, 0)], noLease());
      }, signal);
      expect(await tested.store.executions([second!.item.id])).toEqual([]);
      expect(await family.stepsOf(id)).toMatchObject([{ name: 'a', childId: first!.item.id }]);
      const other = family.child(await family.parent(), 'c', { parent: { waits: false }, item });
      await tested.store.transaction(async ({ manager }) => {
        const { children } = tested.store;
        const reply = await children.startChildIn(manager, other, noLease(), 'work', 1_000);
        expect(reply).toMatchObject({ children: [{ fate: 'exists' }] });
      }, signal);
    });

    test('goes with it', async () => {
      const child = family.child(id, 'in it', { parent: { waits: false }, item: { claims: 0 } });
      const failed = tested.store.transaction(async ({ manager }) => {
        await tested.store.children.startChildIn(manager, child, noLease(), 'work', 1_000);
        throw new Error('late');
      }, signal);
      await expect(failed).rejects.toThrow('late');
      expect(await tested.store.executions([child.item.id])).toEqual([]);
      expect(await family.stepsOf(id)).toEqual([]);
    });
  });

  test('children are listed by their parent and by their root', async () => {
    const child = await family.started(id, 'a');
    const grandchild = await family.started(child, 'b');
    await family.parent();
    const list = async (filter: { parent?: string; root?: string }) =>
      (await tested.store.list({ ...filter, limit: 10 })).map((row) => row.id).toSorted();
    expect(await list({ parent: id })).toEqual([child]);
    expect(await list({ parent: child })).toEqual([grandchild]);
    expect(await list({ root: id })).toEqual([child, grandchild].toSorted());
    expect(await list({ root: child })).toEqual([]);
    const [row] = await tested.store.list({ parent: child, limit: 1 });
    expect(row).toMatchObject({ parentId: child, parentStep: 'b', rootId: id });
    await tested.store.pause(child, null);
    const running = await tested.store.children.tree(id, 2, ['Running']);
    expect(running.map((node) => node.id)).toEqual([id, grandchild]);
    const tree = await tested.store.children.tree(id, 2);
    expect(tree.map((node) => node.id)).toEqual([id, child]);
  });
}
