import { latenciesUntil, someSeconds } from '../measure/bulk.mjs';
import { loadBuilt } from '../measure/built-library.mjs';
import { taskWork } from '../measure/shape.mjs';

const { defineWorkflow } = await loadBuilt();
/** The item of a map that fails, and what an item takes beside it, in milliseconds. */
const FAILING_ITEM = 2_000;
/** Time after the failure in which items may still begin, in milliseconds: far longer than they do. */
const QUIET_MS = 2_000;

export const listOf = (items) => Array.from({ length: items }, (_, n) => n);

/** One workflow: a map, and a task after it. Of a fan, the tasks side by side are the items. */
export function mappingOf(shape, handled) {
  const work = taskWork(shape);
  const items = shape.items ?? shape.width;
  const first = shape.kind === 'fan' ? ['first'] : [];
  let builder = defineWorkflow('bench');
  for (const name of first) builder = builder.task(name, work);
  return builder
    .map('each', { dependsOn: first, maxItems: items, items: () => listOf(items) }, () => work())
    .task('merge', { dependsOn: ['each'] }, async () => {
      await work();
      handled.add();
    })
    .build();
}

/** When the handlers of the map that fails began, and when its item failed. */
const times = { failedAt: 0, lastBegin: 0 };

/** A workflow beside maps, a map of many items, and one that an item fails in the middle. */
export function controlledMaps({ items }) {
  const beside = defineWorkflow('bench').task('work', () => {});
  const many = defineWorkflow('many').map(
    'each',
    { maxItems: items, items: () => listOf(items) },
    () => {},
  );
  const failing = defineWorkflow('failing').map(
    'each',
    {
      maxItems: items,
      items: () => listOf(items),
      onItemFailure: 'failFast',
      retry: { maxAttempts: 1 },
    },
    ({ item }) => {
      times.lastBegin = performance.now();
      if (item !== FAILING_ITEM) return;
      times.failedAt = performance.now();
      throw new Error('as planned');
    },
  );
  return [beside, many, failing].map((builder) => builder.build());
}

/** What is measured of {@link controlledMaps}. */
export function mapControls(runner) {
  return {
    /** The latencies of others before a map and while it runs. */
    besideMap: async () => {
      const execute = () => runner.execute('bench', {});
      const before = await latenciesUntil(someSeconds(), execute);
      const began = performance.now();
      let ms;
      const ended = runner.execute('many', {}).then(() => (ms = performance.now() - began));
      const during = await latenciesUntil(ended, execute);
      return {
        mapMs: ms,
        p95Before: before.p95,
        p95During: during.p95,
        p95Ratio: during.p95 / before.p95,
      };
    },
    /** From the call until the map and all of its items are Cancelled. Most items have not begun. */
    cancelMap: async () => {
      const { id } = await runner.start('many', {});
      for await (const { tasks } of runner.watch(id)) if (tasks[0].items?.completed > 0) break;
      const began = performance.now();
      await runner.cancel(id);
      const cancelMs = performance.now() - began;
      const { tasks } = await runner.get(id);
      if (tasks[0].items.open > 0) throw new Error(`${tasks[0].items.open} items are open.`);
      return { cancelMs, cancelled: tasks[0].items.failed };
    },
    /** From the failure of an item until the last handler began, and until the end of the map. */
    failMap: async () => {
      await runner.execute('failing', {}, { settled: true });
      const endedMs = performance.now() - times.failedAt;
      await new Promise((resolve) => setTimeout(resolve, QUIET_MS));
      return { lastBeginMs: Math.max(0, times.lastBegin - times.failedAt), failedMs: endedMs };
    },
  };
}
