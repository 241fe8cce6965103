import { beforeEach, expect, test } from '@jest/globals';
import { END_CHILDREN, FIRST_TOKEN } from '../../lib/store/port/index.js';
import { Family, keyOf, newId } from './child-family.js';
import type { TestedStore } from './tested-store.js';
import { outcomeOf } from './workflows.js';

/** What makes a sweep look for unsettled ends in a tenant. */
export function describeChildUse(tested: TestedStore): void {
  let family: Family;
  beforeEach(async () => {
    family = new Family(tested);
    await tested.behind.empty();
  });

  async function isUsed(): Promise<boolean | undefined> {
    const { handle } = tested.store;
    const [first, second] = await tested.behind.session.useChildren([handle, handle]);
    expect(second).toBe(first);
    return first;
  }

  test('a tenant without children has none, whatever its executions do', async () => {
    expect(await isUsed()).toBe(false);
    const [running, ended] = [await family.parent(), await family.parent()];
    await family.worker.complete([outcomeOf(family.of, ended, 0)]);
    expect(await isUsed()).toBe(false);
    await tested.store.cancel(running, null);
  });

  test('an execution with a parent is a child, also when both have ended', async () => {
    const id = await family.parent();
    const child = await family.started(id, 'mail', { parent: { waits: false } });
    expect(await isUsed()).toBe(true);
    await family.worker.complete([child, id].map((one) => outcomeOf(family.of, one, 0)));
    expect(await isUsed()).toBe(true);
  });

  test('an end that is not settled is use of children, also if they are gone', async () => {
    const id = await family.parent();
    const child = await family.started(id, 'mail', { parent: { waits: false } });
    await tested.store.cancel(id, null);
    await tested.behind.deleteExecution(child);
    expect(await family.unsettledOf(id)).toBe(END_CHILDREN);
    expect(await isUsed()).toBe(true);
    await tested.behind.deleteExecution(id);
    expect(await isUsed()).toBe(false);
  });

  test('a step that waits for an execution is use of children, though that has no parent', async () => {
    const [id, attached] = [await family.parent(), await family.parent()];
    const parent = { ...keyOf(id), token: FIRST_TOKEN, step: 'a', waits: true };
    await tested.store.children.attachChildren([{ parent, childId: attached }]);
    expect(await isUsed()).toBe(true);
    await family.worker.complete([outcomeOf(family.of, attached, 0)]);
    await tested.store.children.tellParents([attached], true);
    expect(await isUsed()).toBe(false);
    const done = { ...keyOf(id), token: FIRST_TOKEN, step: 'b', waits: false };
    await tested.store.children.attachChildren([{ parent: done, childId: newId() }]);
    expect(await isUsed()).toBe(false);
  });
}
