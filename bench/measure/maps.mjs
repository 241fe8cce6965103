import { OURS } from './contenders.mjs';
import { ContenderProcess } from './process.mjs';
import { map } from './shape.mjs';
import { openThroughput } from './throughput.mjs';

/** Items a second of one large map, what each item costs, and how far the heap grows with it. */
export async function measureMap({ server, entry, shape }) {
  const opened = await openThroughput({ server, entry, shape });
  try {
    const { perSecond, executions: _, ...each } = await opened.measure(1);
    const perItem = Object.entries(each).map(([name, value]) => [
      name,
      value === null ? null : value / shape.items,
    ]);
    const figures = { perSecond: perSecond * shape.items, ms: 1_000 / perSecond };
    return { ...figures, ...Object.fromEntries(perItem), ...(await heapOf(entry, opened)) };
  } finally {
    await opened.close();
  }
}

/** Only of this library: the starts of others return before their items have run. */
async function heapOf(entry, { workers: [worker] }) {
  if (entry.name !== OURS) return { usedMB: null, heapMB: null };
  const grown = async (collects) =>
    (await worker.call('startMeasured', { count: 1, collects, untilEnded: true })).heapMB;
  return { usedMB: await grown(true), heapMB: await grown(false) };
}

/** How long it takes to stop a map, and what it does to others. */
export async function measureMapControls({ server, entry, items }) {
  const database = await server.createDatabase();
  let worker;
  try {
    worker = await ContenderProcess.start({
      url: database.url,
      name: entry.name,
      configuration: entry.configuration,
      shape: { ...map(items), kind: 'maps' },
      alone: true,
    });
    const beside = await worker.call('call', ['besideMap']);
    const cancelled = await worker.call('call', ['cancelMap']);
    const failed = await worker.call('call', ['failMap']);
    return { ...beside, ...cancelled, ...failed };
  } finally {
    await worker?.stop();
    await database.drop();
  }
}
