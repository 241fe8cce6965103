import { describe, expect, it } from '@jest/globals';
import {
  cutText,
  formatBytes,
  formatCount,
  formatDuration,
  formatRelative,
  shortId,
} from '../../../dashboard/src/core/format.js';
import { curveOf, layoutOf } from '../../../dashboard/src/graph/layout.js';
import { itemSpans, ticksOf, timelineRows } from '../../../dashboard/src/graph/timeline-rows.js';

describe('The page writes', () => {
  it.each([
    [0, '0 ms'],
    [-5, '0 ms'],
    [999, '999 ms'],
    [1_000, '1.0 s'],
    [59_940, '60 s'],
    [59_990, '1 min'],
    [185_000, '3 min 5 s'],
    [7_200_000, '2 h'],
    [187_200_000, '2 d 4 h'],
  ])('a duration of %d ms as %s', (ms, text) => {
    expect(formatDuration(ms)).toBe(text);
  });

  it.each([
    [1_000_000, 1_000_500, 'now'],
    [1_000_000, 1_012_300, '12 s ago'],
    [1_000_000, 1_004_000, '4 s ago'],
    [1_180_000, 1_000_000, 'in 3 min'],
    [1_000_000, 1_000_000 + 90 * 3_600_000, '3 d ago'],
  ])('the time %d at %d as %s', (at, now, text) => {
    expect(formatRelative(at, now)).toBe(text);
  });

  it('counts up to a cap, sizes, and the beginnings of long texts', () => {
    expect(formatCount({ count: 10_000, isCapped: true })).toBe('10,000+');
    expect(formatCount(undefined)).toBe('–');
    expect([formatBytes(12), formatBytes(5_200_000)]).toEqual(['12 B', '5.2 MB']);
    expect(cutText('x'.repeat(10_000), 5)).toBe('xxxx…');
    expect(shortId('0197c5a0-0000-7000-8000-0123456789ab')).toBe('…456789ab');
  });
});

describe('The timeline', () => {
  const at = (seconds: number): string => new Date(seconds * 1_000).toISOString();

  it('shows when the items of a map ran, also while the map has no run of its own', () => {
    const task = (name: string, more: object) => ({ name, status: 'Running', ...more });
    const execution = (completedAt: string | undefined) => ({
      startedAt: at(0),
      tasks: [
        task('load', { completedAt: at(2) }),
        task('each', { items: { total: 1_000, completed: 400 }, completedAt }),
      ],
      graph: {
        tasks: [
          { name: 'load', dependsOn: [] },
          { name: 'each', dependsOn: ['load'] },
        ],
      },
    });
    const span = { from: 2_000, look: 'items', label: '400 of 1000 items' };
    const open = itemSpans(execution(undefined) as never);
    expect(timelineRows([], ['load', 'each'], open)).toEqual([{ task: 'each', spans: [span] }]);
    expect([...itemSpans(execution(at(9)) as never)]).toEqual([['each', { ...span, to: 9_000 }]]);
  });

  it('has a row for each task, in the order of the graph, with its attempts, waits and recoveries', () => {
    const rows = timelineRows(
      [
        { type: 'execution.created', at: at(0) },
        {
          type: 'task.attempt',
          at: at(1),
          task: 'b',
          attempt: 1,
          status: 'Failed',
          endedAt: at(2),
        },
        { type: 'task.wait', at: at(2), task: 'a', wait: 'w', kind: 'signal', status: 'Open' },
        { type: 'task.recovered', at: at(3), task: 'b', cause: 'lockGone', orphanedForMs: 5 },
        { type: 'task.attempt', at: at(3), task: 'b', attempt: 2, status: 'Running' },
      ],
      ['a', 'b'],
    );
    expect(rows).toEqual([
      { task: 'a', spans: [{ from: 2_000, look: 'wait', label: 'Wait w: Open' }] },
      {
        task: 'b',
        spans: [
          { from: 1_000, to: 2_000, look: 'Failed', label: 'Attempt 1: Failed' },
          { from: 3_000, to: 3_000, look: 'recovered', label: expect.stringContaining('lockGone') },
          { from: 3_000, look: 'Running', label: 'Attempt 2: Running' },
        ],
      },
    ]);
  });

  it.each([1, 37, 950, 61_000, 86_400_000, 864_000_000_000])(
    'has round ticks over %d ms, and not too many',
    (length) => {
      const ticks = ticksOf(length, 6);
      expect(ticks[0]).toBe(0);
      expect(ticks.length).toBeGreaterThan(1);
      expect(ticks.length).toBeLessThanOrEqual(7);
      expect(ticks.at(-1)).toBeLessThanOrEqual(length);
    },
  );
});

describe('The graph', () => {
  const diamond = [
    { name: '__proto__', dependsOn: [] },
    { name: 'left', dependsOn: ['__proto__'] },
    { name: 'right', dependsOn: ['__proto__', 'not known'] },
    { name: 'join', dependsOn: ['left', 'right'] },
  ];

  it.each([
    [true, 'x' as const],
    [false, 'y' as const],
  ])('places tasks behind their dependencies (wide: %s)', async (isWide, axis) => {
    const { nodes, edges, width, height } = await layoutOf(diamond, isWide);
    const of = (name: string): number => nodes.get(name)![axis];
    expect([nodes.size, edges.length, width > 0, height > 0]).toEqual([4, 4, true, true]);
    for (const { from, to, path } of edges) {
      expect(of(from)).toBeLessThan(of(to));
      expect(path).toMatch(/^M[\d. ]+(?:C[\d. ]+)+$/);
    }
  });

  it('draws nothing for an edge without points', () => {
    expect(curveOf([], true)).toBe('');
  });
});
