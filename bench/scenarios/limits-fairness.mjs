import { setTimeout as delay } from 'node:timers/promises';
import { entriesOf } from '../measure/contenders.mjs';
import { runsOf, withProcesses } from '../measure/limits.mjs';
import { format } from '../measure/rounds.mjs';
import { jain } from '../measure/slot-audit.mjs';
import { quantile } from '../statistics.mjs';

const OTHERS = 99;
const FULL_KEYS = 10_000;
const SETTLE_MS = 2_000;

/** Keys beside one that has an enormous backlog, and a free key beside thousands of full ones. */
export const limitsFairness = {
  name: 'limits-fairness',
  title: 'Turns: 99 keys beside one with 100,000 tasks, and a free key beside 10,000 full ones',
  async run({ server, quick }) {
    const [limit, turns] = await entriesOf({ 'nestjs-cloacina limits': ['limit', 'turns'] });
    const flood = quick ? 20_000 : 100_000;
    const runs = quick ? 500 : 3_000;
    const table = {};
    for (const entry of [limit, turns]) {
      table[entry.configuration] = await beside(server, entry, { flood, runs, quick });
    }
    return { tables: [table, { 'a free key': await amongFull(server, limit, quick) }] };
  },
};

/** Latencies of keys that have a task now and then, and how slots are shared while all keys have a backlog. */
async function beside(server, entry, { flood, runs, quick }) {
  const shape = { keys: OTHERS, perKey: 10, slots: 20, handlerMs: 5 };
  const latencies = await withProcesses({ server, entry, shape }, async ({ open }) => {
    const worker = await open();
    const time = () => worker.call('call', ['timeExecutesOf', 5, runs, OTHERS, 'other']);
    await time();
    const alone = await time();
    await worker.call('call', ['startKeyed', flood, 1, 'flood']);
    await delay(SETTLE_MS);
    return { alone, during: await time() };
  });
  const each = quick ? 50 : 200;
  const shares = await withProcesses({ server, entry, shape }, async ({ open }) => {
    const enqueuer = await open({ claims: false });
    await enqueuer.call('call', ['startKeyed', flood / 4, 1, 'flood']);
    await enqueuer.call('call', ['startKeyed', each * OTHERS, OTHERS, 'other']);
    const worker = await open();
    const ended = [];
    while (!isDry(ended, each)) {
      await delay(50);
      ended.push(...(await runsOf([worker])));
    }
    return sharesOf(ended, each);
  });
  const { alone, during } = latencies;
  return {
    'p95 alone, ms': format(quantile(alone, 0.95)),
    'beside the flood, ms': format(quantile(during, 0.95)),
    ratio: format(quantile(during, 0.95) / quantile(alone, 0.95)),
    "Jain's index": jain(shares).toFixed(3),
  };
}

/** Whether one of the other keys has no more tasks. */
function isDry(runs, each) {
  const counts = new Map();
  for (const [key] of runs) counts.set(key, (counts.get(key) ?? 0) + 1);
  return [...counts].some(([key, count]) => key.startsWith('other') && count >= each);
}

/** Number of tasks that each key ended until the first of the other keys had no more. */
function sharesOf(runs, each) {
  const counts = new Map();
  for (const [key] of runs.toSorted((one, other) => one[2] - other[2])) {
    const count = (counts.get(key) ?? 0) + 1;
    counts.set(key, count);
    if (key.startsWith('other') && count >= each) break;
  }
  return [...counts.values()];
}

/** What thousands of full keys with backlogs cost a key that is free. */
async function amongFull(server, entry, quick) {
  const shape = { keys: FULL_KEYS, perKey: 10, slots: 20, handlerMs: 0 };
  const keys = quick ? FULL_KEYS / 5 : FULL_KEYS;
  return withProcesses({ server, entry, shape }, async ({ open }) => {
    const worker = await open();
    const runs = quick ? 100 : 300;
    const time = () => worker.call('call', ['timeExecutes', runs, 1, 'free']);
    await worker.call('call', ['setLimit', { key: 'free-0', concurrency: 10 }]);
    await time();
    const alone = await time();
    await worker.call('call', ['setLimit', { concurrency: 0 }]);
    await worker.call('call', ['startKeyed', keys * 5, keys, 'full']);
    await delay(SETTLE_MS);
    const among = await time();
    return {
      'p50 alone, ms': format(quantile(alone, 0.5)),
      [`among ${format(keys)} full keys, ms`]: format(quantile(among, 0.5)),
      'p95 alone, ms': format(quantile(alone, 0.95)),
      'p95 among them, ms': format(quantile(among, 0.95)),
    };
  });
}
