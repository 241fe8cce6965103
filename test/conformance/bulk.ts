import { beforeEach, describe, expect, test } from '@jest/globals';
import { v7 as uuid } from 'uuid';
import {
  END_CHILDREN,
  type BulkFilter,
  type LockedForRetry,
  type ResetTask,
} from '../../lib/store/port/index.js';
import { Family } from './child-family.js';
import type { TestedStore } from './tested-store.js';
import { failureOf, outcomeOf, startOf, workflow, type TestWorkflow } from './workflows.js';

/** The memory store's times are whole milliseconds. */
async function nextMillisecond(): Promise<void> {
  const now = Date.now();
  while (Date.now() === now) await new Promise(setImmediate);
}

export function describeBulk(tested: TestedStore): void {
  const worker = tested.worker();
  let chain: TestWorkflow;
  let name: string;
  beforeEach(async () => {
    name = `bulk ${uuid()}`;
    chain = await stored(name);
  });

  const bulk = () => tested.store.bulk;

  async function stored(of: string): Promise<TestWorkflow> {
    const definitionId = tested.newDefinition();
    const unsaid = { version: undefined, description: undefined, definition: {} };
    const row = { id: definitionId, hash: definitionId, name: of, ...unsaid };
    await tested.store.definitions.register([row]);
    return workflow([[], [0]], { definitionId, name: of });
  }

  const matching = (filter: Partial<BulkFilter> = {}): BulkFilter => ({
    workflow: name,
    isTop: false,
    ...filter,
  });

  async function ended(): Promise<string> {
    const id = await worker.startOne(chain);
    await worker.complete([outcomeOf(chain, id, 0)]);
    await worker.complete([outcomeOf(chain, id, 1)]);
    return id;
  }

  async function statusOf(id: string): Promise<string | undefined> {
    return (await tested.rowsOf(id)).execution?.status;
  }

  describe('cancel, pause and resume', () => {
    test('leave the same rows as those of one execution', async () => {
      const [alone, together] = await worker.startMany(chain, 2);
      for (const id of [alone!, together!]) await worker.complete([outcomeOf(chain, id, 0)]);
      const shown = async (id: string) => {
        const { execution, tasks, events } = await tested.rowsOf(id);
        const plain = { completed_at: null, started_at: null, claim_token: 0, created_at: null };
        const kinds = events.map(({ kind, task_no }) => ({ kind, task_no }));
        return {
          execution: { ...execution, ...plain, id: 0 },
          tasks: tasks.map((task) => ({ ...task, ...plain, execution_id: 0 })),
          events: kinds,
        };
      };
      const steps = [
        ['pause', 'lunch'],
        ['resume', null],
        ['cancel', 'enough'],
      ] as const;
      for (const [action, reason] of steps) {
        if (action === 'resume') await tested.store.resume(alone!);
        else await tested.store[action](alone!, reason);
        expect((await bulk().control(action, [together!], reason)).changed).toHaveLength(1);
        expect(await shown(together!)).toEqual(await shown(alone!));
      }
    });

    test('change those of many that allow it, and tell what has to follow', async () => {
      const [running, awaited] = await worker.startMany(chain, 2);
      const pending = await worker.startOne(chain, { claims: 0 });
      await tested.store.await(awaited!);
      const over = await ended();
      const { changed, left } = await bulk().control(
        'cancel',
        [running!, awaited!, pending, over, uuid()],
        'all',
      );
      const told = { workflow: name, unsettled: 0 };
      expect(changed.toSorted((a, b) => (a.id < b.id ? -1 : 1))).toEqual(
        [
          { ...told, id: running, hasWaiters: false, wasRunning: true },
          { ...told, id: awaited, hasWaiters: true, wasRunning: true },
          { ...told, id: pending, hasWaiters: false, wasRunning: false },
        ].toSorted((a, b) => (a.id! < b.id! ? -1 : 1)),
      );
      expect(left).toEqual([]);
      expect(await statusOf(over)).toBe('Completed');
      expect(await bulk().control('cancel', [running!], null)).toEqual({ changed: [], left: [] });
    });

    test('an id that is given twice counts once', async () => {
      const id = await worker.startOne(chain);
      expect((await bulk().control('pause', [id, id], null)).changed).toHaveLength(1);
    });

    test('a cancel ends the items of a task with it', async () => {
      const id = await worker.startOne(chain);
      await tested.behind.addItems(id, 0, 3);
      await bulk().control('cancel', [id], null);
      const { tasks } = await tested.rowsOf(id);
      expect(tasks.map(({ status }) => status)).toEqual(Array(5).fill('Cancelled'));
    });

    test('a cancelled parent has its children to end', async () => {
      const family = new Family(tested);
      const { id } = await family.asleep();
      const { changed } = await bulk().control('cancel', [id], null);
      expect(changed).toMatchObject([{ id, unsettled: END_CHILDREN }]);
    });
  });

  describe('a manual retry', () => {
    const RESET: ResetTask[] = [0, 1].map((taskNo) => ({
      taskNo,
      pendingDependencies: taskNo,
      unmetDependencies: 0,
      keepsSteps: true,
    }));
    const decided = { tasks: RESET, leaves: 1 };

    async function failed(): Promise<string> {
      const id = await worker.startOne(chain);
      await worker.complete([failureOf(chain, id, 0)]);
      await worker.complete([
        outcomeOf(chain, id, 1, { status: 'Skipped', detail: { skipReason: 'upstreamFailure' } }),
      ]);
      return id;
    }

    test('leaves the same rows as that of one execution', async () => {
      const [alone, together] = [await failed(), await failed()];
      await tested.store.reset(alone, () => Promise.resolve(decided));
      const { reset, left } = await bulk().reset([together], () => Promise.resolve(decided));
      expect(reset).toEqual([{ id: together, dueInMs: expect.any(Number) }]);
      expect(left).toEqual([]);
      const shown = async (id: string) => {
        const { execution, tasks, events } = await tested.rowsOf(id);
        const plain = { run_at: null, claim_token: 0, created_at: null, started_at: null };
        return {
          execution: { ...execution, ...plain, id: 0 },
          tasks: tasks.map((task) => ({ ...task, ...plain, execution_id: 0 })),
          events: events.map(({ kind, task_no }) => ({ kind, task_no })),
        };
      };
      expect(await shown(together)).toEqual(await shown(alone));
      expect((await tested.rowsOf(together)).execution?.status).toBe('Running');
    });

    test('is decided for each that has ended, and all are reset or none', async () => {
      const ids = [await failed(), await failed(), await ended(), await worker.startOne(chain)];
      const seen: string[] = [];
      const decide = ({ id, status }: LockedForRetry) => {
        seen.push(`${id} ${status}`);
        return Promise.resolve(status === 'Failed' ? decided : null);
      };
      const failing = bulk().reset(ids, async (execution) => {
        if (execution.id === ids[1]) throw new Error('no definition');
        return decide(execution);
      });
      await expect(failing).rejects.toThrow('no definition');
      expect(await Promise.all(ids.slice(0, 2).map(statusOf))).toEqual(['Failed', 'Failed']);
      seen.length = 0;
      const { reset } = await bulk().reset([...ids, ids[0]!, uuid()], decide);
      expect(reset.map(({ id }) => id).toSorted()).toEqual(ids.slice(0, 2).toSorted());
      expect(seen.toSorted()).toEqual(
        [`${ids[0]} Failed`, `${ids[1]} Failed`, `${ids[2]} Completed`].toSorted(),
      );
      const again = await bulk().reset(ids, decide);
      expect(again.reset).toEqual([]);
    });
  });

  describe('finding', () => {
    test('begins with the newest, and goes on behind a place', async () => {
      const ids: string[] = [];
      for (let n = 0; n < 3; n++) {
        ids.unshift(await worker.startOne(chain));
        await nextMillisecond();
      }
      const from = await bulk().now();
      const first = await bulk().find(matching(), from, 2);
      expect(first.map(({ id }) => id)).toEqual(ids.slice(0, 2));
      const rest = await bulk().find(matching(), first[1]!, 2);
      expect(rest.map(({ id }) => id)).toEqual(ids.slice(2));
      expect(await bulk().find(matching(), rest[0]!, 2)).toEqual([]);
      expect(await bulk().count(matching(), from)).toBe(3);
      expect(await bulk().count(matching(), first[0]!)).toBe(2);
    });

    test('leaves out what starts later', async () => {
      const id = await worker.startOne(chain);
      await nextMillisecond();
      const from = await bulk().now();
      await nextMillisecond();
      await worker.startOne(chain);
      expect((await bulk().find(matching(), from, 10)).map((row) => row.id)).toEqual([id]);
      expect(await bulk().count(matching(), from)).toBe(1);
    });

    test.each([
      ['the status', { statuses: ['Running'] }],
      ['a tag', { tags: '{"customer":"4711"}' }],
      ['a tag and the status', { tags: '{"customer":"4711"}', statuses: ['Running'] }],
      ['the key', { idempotencyKey: 'one' }],
    ] satisfies [string, Partial<BulkFilter>][])('goes by %s', async (_, filter) => {
      await ended();
      const tags = '{"customer":"4711","n":"1"}';
      const item = startOf(chain, { tags, idempotencyKey: 'one' });
      await worker.startKeyed([item]);
      await nextMillisecond();
      const from = await bulk().now();
      const found = await bulk().find(matching(filter), from, 10);
      expect(found.map(({ id }) => id)).toEqual([item.id]);
      expect(await bulk().count(matching(filter), from)).toBe(1);
    });

    test('goes by the parent, or by being without one', async () => {
      const family = new Family(tested, { name });
      const { id, children } = await family.asleep(2);
      await nextMillisecond();
      const from = await bulk().now();
      const under = matching({ parent: id });
      const found = await bulk().find(under, from, 10);
      expect(found.map((row) => row.id).toSorted()).toEqual(children.toSorted());
      expect(await bulk().count(under, from)).toBe(2);
      const top = await bulk().find(matching({ isTop: true }), from, 10);
      expect(top.map((row) => row.id)).toEqual([id]);
      expect(await bulk().count(matching({ isTop: true }), from)).toBe(1);
    });

    test('finds built-in workflows only by their names', async () => {
      const builtIn = await stored(`cloacina.${uuid()}`);
      const id = await worker.startOne(builtIn);
      await nextMillisecond();
      const from = await bulk().now();
      const statuses = ['Running'];
      const all = await bulk().find(matching({ workflow: undefined, statuses }), from, 100_000);
      expect(all.map((row) => row.id)).not.toContain(id);
      const byName = matching({ workflow: builtIn.plan.workflow, statuses });
      expect((await bulk().find(byName, from, 10)).map((row) => row.id)).toEqual([id]);
    });
  });

  describe('deletion', () => {
    test('leaves nothing of an execution, and its key is free', async () => {
      const item = startOf(chain, { idempotencyKey: 'key' });
      await worker.startKeyed([item]);
      const { id } = item;
      const message = { kind: 'signal', to: { id }, name: 'go', payload: '1' } as const;
      await tested.store.messages.sendMessages([{ ...message, idempotencyKey: 'once' }]);
      await tested.store.cancel(id, 'no');
      expect(await bulk().delete([id])).toEqual({ deleted: [id], left: [] });
      expect(await tested.rowsOf(id)).toEqual({ execution: undefined, tasks: [], events: [] });
      expect(await tested.store.history(id)).toBeUndefined();
      expect(await worker.startKeyed([startOf(chain, { idempotencyKey: 'key' })])).toHaveLength(1);
    });

    test('takes those that have ended, and leaves the others alone', async () => {
      const over = await ended();
      const running = await worker.startOne(chain);
      expect(await bulk().delete([over, running, uuid()])).toEqual({ deleted: [over], left: [] });
      expect(await statusOf(running)).toBe('Running');
    });

    test('takes a tree as a whole', async () => {
      const family = new Family(tested);
      const id = await family.parent();
      const child = await family.started(id, 'child', { parent: { waits: false } });
      const grandchild = await family.started(child, 'deeper', { parent: { waits: false } });
      const beside = await ended();
      for (const one of [id, child]) await tested.store.cancel(one, null);
      await tested.store.children.childrenEnded([id, child]);
      // The grandchild runs: its parent was not told to cancel it.
      expect(await bulk().delete([id])).toEqual({ deleted: [], left: [] });
      await tested.store.cancel(grandchild, null);
      await tested.store.children.childrenEnded([child]);
      expect(await bulk().delete([child, grandchild])).toEqual({ deleted: [], left: [] });

      expect(await bulk().delete([id])).toEqual({ deleted: [id], left: [] });
      for (const one of [id, child, grandchild]) expect(await statusOf(one)).toBeUndefined();
      expect(await statusOf(beside)).toBe('Completed');
    });

    test('waits for what the end of an execution has still to bring about', async () => {
      const family = new Family(tested);
      const { id, children } = await family.asleep();
      await tested.store.cancel(id, null);
      await tested.store.cancel(children[0]!, null);
      expect(await bulk().delete([id])).toEqual({ deleted: [], left: [] });
      await tested.store.children.childrenEnded([id]);
      expect(await bulk().delete([id])).toEqual({ deleted: [], left: [] });
      await tested.store.children.tellParents(children);
      expect(await bulk().delete([id])).toEqual({ deleted: [id], left: [] });
    });
  });
}
