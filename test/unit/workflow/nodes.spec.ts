import { describe, expect, it } from '@jest/globals';
import type { NodeSource } from '../../../lib/workflow/node.js';
import {
  joinLimits,
  restoreWorkflow,
  storeWorkflow,
  type StoredDefinition,
} from '../../../lib/workflow/index.js';
import { canonicalJson } from '../../../lib/workflow/json-equality.js';
import { taskFailed } from '../../../lib/workflow/trigger-rule.js';
import { compiled, problemsOf } from './some-workflows.js';

const nodes: Readonly<Record<string, NodeSource>> = {
  approval: { kind: 'wait', signal: 'approve', timeout: '14d', onTimeout: 'skip' },
  answer: { kind: 'wait', signal: 'answer', timeout: '1h' },
  forEver: { kind: 'wait', signal: 'stop' },
  paid: { kind: 'wait', event: 'invoice.paid', key: 'invoiceId', lookback: '2d' },
  pause: { kind: 'sleep', for: '3d' },
  due: { kind: 'sleep', until: 'dueDate' },
  pdf: { kind: 'child', workflow: 'render-pdf', output: 'pdf', mapsInput: true },
  audit: { kind: 'child', workflow: 'audit', onParentEnd: 'abandon' },
};
const workflow = compiled({
  name: 'invoice',
  tasks: [
    { name: 'price' },
    ...Object.entries(nodes).map(([name, node]) => ({ name, dependsOn: ['price'], node })),
    { name: 'giveUp', dependsOn: ['answer'], when: taskFailed('answer') },
  ],
});

/** What comes back from a jsonb column: keys in another order. */
function throughJsonb(stored: unknown): StoredDefinition {
  return JSON.parse(canonicalJson(stored)) as StoredDefinition;
}

function nodeProblems(node: unknown): string[] {
  return problemsOf({ name: 'w', tasks: [{ name: 'n', node }] });
}

describe('A node', () => {
  it('has its defaults filled in', () => {
    const compiledNodes = Object.fromEntries(
      workflow.tasks.flatMap(({ name, node }) => (node === undefined ? [] : [[name, node]])),
    );
    expect(compiledNodes).toEqual({
      approval: { kind: 'wait', signal: 'approve', timeoutMs: 14 * 86_400_000, onTimeout: 'skip' },
      answer: { kind: 'wait', signal: 'answer', timeoutMs: 3_600_000, onTimeout: 'fail' },
      forEver: { kind: 'wait', signal: 'stop' },
      paid: { kind: 'wait', event: 'invoice.paid', key: 'invoiceId', lookbackMs: 2 * 86_400_000 },
      pause: { kind: 'sleep', forMs: 3 * 86_400_000 },
      due: { kind: 'sleep', until: 'dueDate' },
      pdf: {
        kind: 'child',
        workflow: 'render-pdf',
        output: 'pdf',
        onParentEnd: 'cancel',
        mapsInput: true,
      },
      audit: { kind: 'child', workflow: 'audit', onParentEnd: 'abandon', mapsInput: false },
    });
  });

  it('comes back from the database as it was stored', () => {
    const stored = storeWorkflow(workflow);
    expect(stored.format).toBe(2);
    const restored = restoreWorkflow(throughJsonb(stored));
    expect(restored.tasks).toEqual(workflow.tasks);
    expect(restored.hash).toBe(workflow.hash);
  });

  it.each<[unknown, string]>([
    [
      { kind: 'map', maxItems: 0 },
      'has the maxItems 0; it must be a whole number from 1 to 1000000',
    ],
    [{ kind: 'map', concurrency: 1.5 }, 'has the concurrency 1.5'],
    [{ kind: 'map', workflow: 'a', chunk: 2 }, 'each item starts an execution of its own'],
    [{ kind: 'map', workflow: 'a', onParentEnd: 'keep' }, 'has the onParentEnd "keep"'],
    [{ kind: 'map', onItemFailure: 'stop' }, 'has the onItemFailure "stop"'],
    [{ kind: 'map', onItemFailure: { tolerate: 1.5 } }, 'with a share between 0 and 1'],
    [{ kind: 'jump' }, 'the unknown kind "jump"'],
    [{ kind: 'wait' }, 'either a signal or an event'],
    [{ kind: 'wait', signal: 'a', event: 'b', key: 'c' }, 'either a signal or an event'],
    [{ kind: 'wait', signal: '' }, 'has the signal ""; it must be a string'],
    [{ kind: 'wait', event: 'a' }, "needs the option 'key'"],
    [{ kind: 'wait', event: 'a', key: 7 }, 'has the key 7'],
    [{ kind: 'wait', signal: 'a', key: 'b' }, 'has a key, which only an event has'],
    [{ kind: 'wait', signal: 'a', timeout: '3 fortnights' }, 'has the timeout "3 fortnights"'],
    [{ kind: 'wait', signal: 'a', timeout: 0 }, 'has a timeout of 0'],
    [{ kind: 'wait', signal: 'a', onTimeout: 'skip' }, 'onTimeout but no timeout'],
    [{ kind: 'wait', signal: 'a', timeout: 5, onTimeout: 'go' }, 'has the onTimeout "go"'],
    [{ kind: 'sleep' }, "set 'for' or 'until'"],
    [{ kind: 'sleep', for: 5, until: 'due' }, "set 'for' or 'until'"],
    [{ kind: 'sleep', for: '3' }, 'has the for "3"'],
    [{ kind: 'sleep', for: 0 }, 'sleeps for 0'],
    [{ kind: 'sleep', until: '' }, 'has the until ""'],
    [{ kind: 'child' }, "needs the option 'workflow'"],
    [{ kind: 'child', workflow: 'a', output: '' }, 'has the output ""'],
    [{ kind: 'child', workflow: 'a', onParentEnd: 'keep' }, 'has the onParentEnd "keep"'],
  ])('is refused if it is %j', (node, problem) => {
    expect(nodeProblems(node)).toEqual([expect.stringContaining(problem)]);
    expect(nodeProblems(node)[0]).toMatch(/^Workflow "w": task "n" /);
  });

  it.each([
    [
      'map',
      'is a map of children, which has no limit; remove limit, and give it to the tasks of the children',
    ],
    ['sleep', 'is a node, which has no limit; remove limit'],
  ])('has no limit if it is a %s', (kind, problem) => {
    const node = kind === 'map' ? { kind, workflow: 'child' } : nodes['pause'];
    const source = { name: 'w', tasks: [{ name: 'n', node, limit: 'stripe' }] };
    expect(problemsOf(source)).toEqual([expect.stringContaining(problem)]);
  });

  it('has a limit for its items if it is a map with a handler', () => {
    const node = { kind: 'map' };
    const limit = { name: 'stripe', key: 'item.account', concurrency: 2 };
    const sourceOf = (more: object, limited: object = limit) => ({
      name: 'w',
      tasks: [{ name: 'n', node: { ...node, ...more }, limit: limited }],
    });
    expect(problemsOf(sourceOf({}))).toEqual([]);
    expect(problemsOf(sourceOf({ chunk: 5 }))).toEqual([
      expect.stringContaining('a chunk has several items; remove chunk'),
    ]);
    expect(problemsOf(sourceOf({ chunk: 5 }, { ...limit, key: 'account' }))).toEqual([]);
    const strict = { ...limit, concurrency: 1, order: 'strict' };
    const { limits } = compiled(sourceOf({ concurrency: 3 }, strict) as never);
    expect(joinLimits(limits ?? []).problems).toEqual([
      expect.stringContaining(
        `has the order 'strict', and Workflow "w", task "n" has a concurrency`,
      ),
    ]);
  });

  it('cannot be transactional', () => {
    const [node] = [nodes['pause']];
    const source = { name: 'w', tasks: [{ name: 'n', node, transactional: true }] };
    expect(problemsOf(source)).toEqual([expect.stringContaining('has no transaction')]);
  });
});

describe('The format of a definition', () => {
  const plain = compiled({
    name: 'plain',
    tasks: [{ name: 'a' }, { name: 'b', dependsOn: ['a'] }],
  });

  it('is the first one without nodes, so that the hash is the same as in releases without nodes', () => {
    const stored = storeWorkflow(plain);
    expect(stored.format).toBe(1);
    expect(canonicalJson(stored)).not.toContain('node');
    // Computed by the release before nodes. Another value would start all workflows' definitions anew.
    expect(plain.hash).toBe('c1b008693616afaa49ca236dfe8b7194');
  });

  it('has to be that of the tasks', () => {
    for (const [stored, format] of [
      [storeWorkflow(plain), 2],
      [storeWorkflow(workflow), 1],
    ] as const) {
      expect(() => restoreWorkflow(throughJsonb({ ...stored, format }))).toThrow(
        'was changed after it was stored',
      );
    }
  });

  it('is refused with the formats that this release reads', () => {
    const stored = { ...storeWorkflow(plain), format: 3 };
    expect(() => restoreWorkflow(stored)).toThrow(
      'has the format 3, and this release reads 1 and 2. A newer release may have written it.',
    );
  });

  it('is refused if a node has another kind, such as one of a newer release', () => {
    const stored = storeWorkflow(workflow);
    const tasks = stored.tasks.map((task) =>
      task.node === undefined ? task : { ...task, node: { kind: 'race', of: 'rows' } },
    );
    expect(() => restoreWorkflow(throughJsonb({ ...stored, tasks }))).toThrow(
      'is of the unknown kind "race"',
    );
  });

  it('changes the hash with anything that a node has', () => {
    const hashes = [
      { kind: 'sleep', for: 5 },
      { kind: 'sleep', for: 6 },
      { kind: 'sleep', until: 'due' },
      { kind: 'wait', signal: 'a' },
      { kind: 'wait', signal: 'a', timeout: 5 },
      { kind: 'wait', signal: 'a', timeout: 5, onTimeout: 'complete' },
      { kind: 'wait', event: 'a', key: 'k' },
      { kind: 'child', workflow: 'a' },
      { kind: 'child', workflow: 'a', mapsInput: true },
      undefined,
    ].map((node) => compiled({ name: 'w', tasks: [{ name: 'n', node: node as NodeSource }] }).hash);
    expect(new Set(hashes).size).toBe(hashes.length);
  });
});
