import { beforeEach, describe, expect, test } from '@jest/globals';
import { v7 as uuid } from 'uuid';
import { MAX_PRIORITY, PRIORITY_LEVELS, priorityLevel } from '../../lib/workflow/priority.js';
import { MAX_AGED, type StartItem } from '../../lib/store/port/index.js';
import type { TestedStore } from './tested-store.js';
import { workflow, type TestWorkflow } from './workflows.js';

const HOUR_MS = 3_600_000;

export function describeQueues(tested: TestedStore): void {
  const worker = tested.worker();
  let name: string;
  let chain: TestWorkflow;
  beforeEach(() => {
    name = `queue ${uuid()}`;
    chain = workflow([[], [0]], { name, definitionId: tested.newDefinition() });
  });

  const idOf = (): string => chain.plan.definitionId;
  const levelOf = async (id: string, taskNo = 0): Promise<number> =>
    (await tested.taskOf(id, taskNo)).priority;
  const pending = (options?: Partial<StartItem>): Promise<string> =>
    worker.startOne(chain, { claims: 0, ...options });

  describe('levels of priority', () => {
    test('each sum of priorities has one of 21 levels', async () => {
      const sums = Array.from({ length: 2 * MAX_PRIORITY + 1 }, (_, i) => i - MAX_PRIORITY);
      const levels = new Set<number>();
      for (const priority of [-1_000, ...sums.filter((sum) => sum % 7 === 0), 1_000]) {
        const level = await levelOf(await pending({ priority }));
        expect([priority, level]).toEqual([priority, priorityLevel(priority)]);
        levels.add(level);
      }
      expect([...levels].every((level) => PRIORITY_LEVELS.includes(level))).toBe(true);
      expect(PRIORITY_LEVELS).toHaveLength(21);
    });
  });

  describe('the age of tasks', () => {
    /** A task that has been due for some hours. */
    async function waiting(hours: number, options?: Partial<StartItem>): Promise<string> {
      const id = await pending(options);
      await tested.behind.changeTask(id, 0, { runInMs: -hours * HOUR_MS - 1_000 });
      return id;
    }
    const age = (priorities: readonly number[] = [0, 0]) =>
      tested.store.queues.age([{ id: idOf(), agingMs: HOUR_MS, priorities }]);

    test('a task gets one level for each time that it has waited, from that of its start', async () => {
      const [young, one, two, old] = [
        await waiting(0.5),
        await waiting(1),
        await waiting(2, { priority: -10 }),
        await waiting(1_000),
      ];
      expect(await age()).toBe(3);
      expect(await levelOf(young)).toBe(0);
      expect(await levelOf(one)).toBe(1);
      expect(await levelOf(two)).toBe(-3);
      expect(await levelOf(old)).toBe(MAX_PRIORITY);
      expect(await age()).toBe(0);
    });

    test('the priority of the task counts too, and no level is taken away', async () => {
      const id = await waiting(1);
      expect(await age([5, 0])).toBe(1);
      expect(await levelOf(id)).toBe(10);
      expect(await age()).toBe(0);
      expect(await levelOf(id)).toBe(10);
    });

    test('claims go by the level, and a task that is claimed keeps it', async () => {
      const favored = await pending({ priority: 3 });
      const starving = await waiting(4);
      expect((await worker.claim([idOf()], 1))[0]?.executionId).toBe(favored);
      expect(await age()).toBe(1);
      await pending({ priority: 3 });
      const [next] = await worker.claim([idOf()], 1);
      expect(next).toMatchObject({ executionId: starving, priority: 5 });
      expect(await age()).toBe(0);
    });

    test('tasks with a limit age too; those of other workflows, paused and later ones do not', async () => {
      const limited = await waiting(1, { limitKeys: JSON.stringify({ 0: `${name}\u001fkey` }) });
      const paused = await waiting(1);
      await tested.store.pause(paused, null);
      const later = await pending({ delayMs: HOUR_MS });
      const other = workflow([[]], { definitionId: tested.newDefinition() });
      const elsewhere = await worker.startOne(other, { claims: 0 });
      await tested.behind.changeTask(elsewhere, 0, { runInMs: -9 * HOUR_MS });
      expect(await age()).toBe(1);
      expect(await levelOf(limited)).toBe(1);
      for (const id of [paused, later, elsewhere]) expect(await levelOf(id)).toBe(0);
    });

    test('tasks with a limit age behind many others that have waited longer', async () => {
      const limitKeys = JSON.stringify({ 0: `${name}\u001fkey` });
      const other = workflow([[]], { definitionId: tested.newDefinition() });
      const runAt = new Date(Date.now() - 90 * HOUR_MS);
      await worker.startMany(other, MAX_AGED, { claims: 0, limitKeys, runAt });
      const limited = await waiting(1, { limitKeys });
      expect(await age()).toBe(1);
      expect(await levelOf(limited)).toBe(1);
    });
  });

  test('Pending executions are counted for each workflow, up to a number', async () => {
    await worker.startMany(chain, 3, { claims: 0 });
    await worker.startOne(chain);
    const paused = await pending();
    await tested.store.pause(paused, null);
    expect(await tested.store.queues.pending(name, 100)).toBe(3);
    expect(await tested.store.queues.pending(name, 2)).toBe(2);
    expect(await tested.store.queues.pending(`${name}!`, 2)).toBe(0);
  });
}
