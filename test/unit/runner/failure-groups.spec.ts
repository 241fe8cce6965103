import { describe, expect, it } from '@jest/globals';
import type { ExecutionSummary } from '../../../lib/runner/execution.js';
import { groupFailures, normalizeMessage } from '../../../lib/runner/statistics/failure-groups.js';

let executions = 0;

function failed(change: Partial<ExecutionSummary> = {}): ExecutionSummary {
  const no = ++executions;
  return {
    id: `execution ${no}`,
    workflow: 'order',
    status: 'Failed',
    failedTask: 'charge',
    error: { name: 'Error', message: `card ${no} refused` },
    createdAt: new Date(no * 1_000),
    completedAt: new Date(no * 1_000 + 500),
    ...change,
  };
}

describe('groups of failures', () => {
  it('have what differs between executions taken out of their messages', () => {
    const same = [
      'order 17 of "Ann" (3f0e5b34-8f4e-4c44-9d6b-0123456789ab) took 1,234.5 ms',
      'order 9 of "Zoë" (00000000-0000-4000-8000-000000000000) took 7 ms',
    ].map((message) => normalizeMessage(message));
    expect(same[0]).toBe('order … of … (…) took … ms');
    expect(same[1]).toBe(same[0]);
    expect(normalizeMessage('connect refused')).toBe('connect refused');
    expect(normalizeMessage(`session a1b2c3d4e5 ${'x'.repeat(10_000)}`)).toHaveLength(291);
  });

  it('have one cause, count it, and say when it was first and last', () => {
    executions = 0;
    const refused = [failed(), failed(), failed()];
    const elsewhere = failed({ failedTask: 'ship' });
    const groups = groupFailures([elsewhere, ...refused.toReversed()]);
    expect(groups).toEqual([
      {
        id: expect.stringMatching(/^[\w-]{22}$/),
        workflow: 'order',
        task: 'charge',
        error: { name: 'Error', message: 'card 3 refused' },
        message: 'card … refused',
        count: 3,
        firstAt: new Date(1_500),
        lastAt: new Date(3_500),
        examples: ['execution 3', 'execution 2', 'execution 1'],
        filter: { ids: ['execution 3', 'execution 2', 'execution 1'], status: 'Failed' },
      },
      expect.objectContaining({ task: 'ship', count: 1 }),
    ]);
    expect(groupFailures(refused)[0]?.id).toBe(groups[0]?.id);
  });

  it.each([
    ['workflow', { workflow: 'invoice' }],
    ['name of the error', { error: { name: 'TypeError', message: 'card 1 refused' } }],
    ['code of the error', { error: { name: 'Error', code: 'E1', message: 'card 1 refused' } }],
    ['message', { error: { name: 'Error', message: 'card 1 stolen' } }],
  ] as const)('are apart by the %s', (_, change) => {
    expect(groupFailures([failed(), failed(change)])).toHaveLength(2);
  });

  it('have a few examples, and all executions in the filter', () => {
    const many = Array.from({ length: 30 }, () => failed());
    const [group] = groupFailures(many);
    expect(group?.examples).toHaveLength(10);
    expect(group?.filter.ids).toHaveLength(30);
  });

  it('have no task after a timeout of the workflow', () => {
    const { failedTask: _, ...timedOut } = failed();
    expect(groupFailures([timedOut])[0]).not.toHaveProperty('task');
  });
});
