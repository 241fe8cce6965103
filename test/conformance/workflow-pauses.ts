import { expect, test } from '@jest/globals';
import { v7 as uuid } from 'uuid';
import type { WorkflowPause } from '../../lib/store/port/index.js';
import type { TestedStore } from './tested-store.js';

export function describeWorkflowPauses(tested: TestedStore): void {
  async function found(names: readonly string[]): Promise<WorkflowPause[]> {
    const all = await tested.store.pauses.list();
    const [ofSession] = await tested.behind.session.pausedWorkflows([tested.store.handle]);
    const { paused } = await tested.store.definitions.known(['unknown']);
    const plain = ({ workflow, reason, pausedAt }: WorkflowPause) => ({
      workflow,
      reason,
      pausedAt,
    });
    const byName = (a: WorkflowPause, b: WorkflowPause): number =>
      a.workflow < b.workflow ? -1 : 1;
    const shown = (rows: readonly WorkflowPause[] = []): WorkflowPause[] =>
      rows.map(plain).toSorted(byName);
    expect(shown(ofSession)).toEqual(shown(all));
    expect(shown(paused)).toEqual(shown(all));
    return all.filter(({ workflow }) => names.includes(workflow));
  }

  test('a workflow is paused until it is resumed, for each who reads it', async () => {
    const [first, second] = [`a ${uuid()}`, `b ${uuid()}`];
    await tested.store.pauses.pause(second, 'broken');
    await tested.store.pauses.pause(first, null);
    const rows = await found([first, second]);
    expect(rows).toEqual([
      { workflow: first, reason: null, pausedAt: expect.any(Date) },
      { workflow: second, reason: 'broken', pausedAt: expect.any(Date) },
    ]);
    await tested.store.pauses.pause(second, 'still broken');
    const again = { ...rows[1], reason: 'still broken' };
    expect(await found([second])).toEqual([again]);
    expect(await tested.store.pauses.resume(first)).toBe(true);
    expect(await tested.store.pauses.resume(first)).toBe(false);
    expect(await found([first, second])).toEqual([again]);
    await tested.store.pauses.resume(second);
  });
}
