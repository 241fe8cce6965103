import { expect, it } from '@jest/globals';
import { knownLimitKey } from '../../../lib/engine/limits/limit-keys.js';
import { ExecutionCache } from '../../../lib/engine/memory/execution-cache.js';
import { limitKeyOf } from '../../../lib/workflow/limit.js';
import { compiled } from '../workflow/some-workflows.js';

const workflow = compiled({
  name: 'w',
  tasks: [
    { name: 'deep', limit: { name: 'n', key: 'customer.id' } },
    { name: 'flat', limit: 'n' },
    { name: 'free' },
  ],
});
const keysIn = (cache: ExecutionCache) =>
  workflow.tasks.map((task) => [task.name, knownLimitKey(cache, task)]);

it('The key of a task is known where the input is', () => {
  const cache = new ExecutionCache('x', workflow, 0);
  const unknown = [
    ['deep', undefined],
    ['flat', limitKeyOf('n', '')],
    ['free', undefined],
  ];
  expect(keysIn(cache).toSorted()).toEqual(unknown);
  cache.setInput(new Map([['other', '1']]));
  expect(keysIn(cache).toSorted()).toEqual(unknown);
  const known = new ExecutionCache('x', workflow, 0);
  known.setInput(new Map([['customer', '{"id":17}']]));
  expect(keysIn(known).toSorted()).toEqual([
    ['deep', limitKeyOf('n', '17')],
    ['flat', limitKeyOf('n', '')],
    ['free', undefined],
  ]);
});
