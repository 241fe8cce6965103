import { expect, it } from '@jest/globals';
import { checkLimitFilter } from '../../../lib/runner/limit-arguments.js';
import { LimitReader } from '../../../lib/runner/limit-reader.js';
import type { LimitKeyRow, LimitStore } from '../../../lib/store/port/index.js';

const KEYS = 5_000;

function row(no: number): LimitKeyRow {
  return {
    limitKey: `bank\u001f${String(no).padStart(5, '0')}`,
    // The last key alone is full.
    concurrency: no === KEYS - 1 ? 0 : null,
    rate: null,
    rateMs: null,
    burst: null,
    total: null,
    weight: 1,
    holders: [],
    waiting: 0,
    oldestForMs: null,
    tokenInMs: null,
  };
}

/** Keys of a store, of which it counts how many it has read. */
function counted() {
  const rows = Array.from({ length: KEYS }, (_, no) => row(no));
  const read: number[] = [];
  const store: Pick<LimitStore, 'keys' | 'keysOf'> = {
    keys: async ({ after, count }) => {
      const found = rows.filter(({ limitKey }) => limitKey > (after ?? '')).slice(0, count);
      read.push(found.length);
      return found;
    },
    keysOf: async () => [],
  };
  const catalog = { limits: new Map(), find: () => Promise.reject(new Error('none')) };
  const reader = new LimitReader(store, catalog, { wallTime: () => 0 });
  return { reader, sum: () => read.splice(0).reduce((all, count) => all + count, 0) };
}

it('a page of full keys ends where its look has ended, and the next call goes on from there', async () => {
  const { reader, sum } = counted();
  const found: (string | number | undefined)[] = [];
  const reads: number[] = [];
  let cursor: string | null | undefined;
  do {
    const filter = {
      full: true,
      maxRead: 1_000,
      ...(typeof cursor === 'string' ? { cursor } : {}),
    };
    const page = await reader.list(checkLimitFilter(filter));
    found.push(...page.items.map(({ key }) => key));
    reads.push(sum());
    cursor = page.nextCursor;
  } while (cursor !== null);
  expect(found).toEqual(['04999']);
  expect(Math.max(...reads)).toBe(1_000);
  expect(reads.reduce((all, count) => all + count, 0)).toBe(KEYS);
  await reader.list(checkLimitFilter({ full: true }));
  expect(sum()).toBe(KEYS);
});

it('the number of keys to look at is checked', () => {
  for (const maxRead of [0, 999, 1.5, 100_001])
    expect(() => checkLimitFilter({ maxRead })).toThrow(/maxRead/);
});
