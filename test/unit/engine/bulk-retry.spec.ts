import { beforeEach, describe, expect, it } from '@jest/globals';
import { BulkRetry } from '../../../lib/engine/bulk/bulk-retry.js';
import {
  END_CHILDREN,
  type BulkStore,
  type LockedForRetry,
} from '../../../lib/store/port/index.js';
import { EngineScene } from './engine-scene.js';

let scene: EngineScene;
let retry: BulkRetry;
/** The rows of ended executions, by id. */
let rows: Map<string, LockedForRetry>;
let locked: Set<string>;
beforeEach(() => {
  scene = new EngineScene();
  rows = new Map();
  locked = new Set();
  const reset: BulkStore['reset'] = async (ids, decide) => {
    const found = [];
    for (const id of ids) {
      const row = rows.get(id);
      if (row === undefined || locked.has(id)) continue;
      if ((await decide(row)) === null) continue;
      rows.delete(id);
      found.push({ id, dueInMs: id === 'later' ? 50 : 0 });
    }
    return { reset: found, left: ids.filter((id) => locked.has(id)) };
  };
  retry = new BulkRetry(
    {
      store: { bulk: { reset } },
      catalog: { find: async () => scene.definition },
      endChildrenOf: async (id) => {
        scene.called.push(`children of ${id}`);
        rows.set(id, { ...rows.get(id)!, unsettled: 0 });
        return true;
      },
      told: (id) => scene.called.push(`told ${id}`),
      wakeWorkers: scene.note('wakeWorkers'),
      dueIn: (ms) => scene.called.push(`due in ${ms}`),
    },
    { steps: 'keep' },
  );
});

function failed(id: string, more: Partial<LockedForRetry> = {}): string {
  const tasks = scene.definition.workflow.tasks.map(({ no }) => ({
    taskNo: no,
    status: 'Failed',
    skipReason: null,
  }));
  const row = { definitionId: scene.definition.id, status: 'Failed', generation: 0, unsettled: 0 };
  rows.set(id, { id, ...row, tasks, ...more });
  return id;
}

describe('BulkRetry', () => {
  it('retries what has failed, tells of each, and wakes workers for what is due', async () => {
    const ids = [failed('a'), failed('later'), 'unknown'];
    failed('completed', { tasks: [], status: 'Completed' });
    expect(await retry.part([...ids, 'completed'], false)).toEqual({
      changed: ['a', 'later'],
      left: [],
    });
    expect(scene.called).toEqual(['told a', 'told later', 'wakeWorkers', 'due in 50']);
  });

  it('leaves those whose rows are locked, and those whose children are to be cancelled first', async () => {
    locked.add(failed('locked'));
    failed('parent', { unsettled: END_CHILDREN });
    const reply = await retry.part(['locked', 'parent'], false);
    expect(reply).toEqual({ changed: [], left: ['locked', 'parent'] });
    expect(scene.called).toEqual(['children of parent']);
    locked.clear();
    expect(await retry.part(reply.left, false)).toMatchObject({ changed: ['locked', 'parent'] });
  });

  it('counts what a send has changed whose reply was lost, and changes it once', async () => {
    const ids = [failed('gone'), failed('again'), failed('kept'), 'never'];
    await retry.part(ids, false);
    // The second one has ended again since, and the third one was not written.
    failed('again', { generation: 1 });
    failed('kept');
    const { changed } = await retry.part(ids, true);
    expect(changed.toSorted()).toEqual(['again', 'gone', 'kept']);
    expect(rows.has('again')).toBe(true);
    expect(rows.has('kept')).toBe(false);
  });
});
