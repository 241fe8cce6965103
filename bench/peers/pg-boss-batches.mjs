import { setTimeout as delay } from 'node:timers/promises';
import { batchSize } from '../measure/callers.mjs';
import { taskWork } from '../measure/shape.mjs';
import { COUNT_DOWN } from './counted-maps.mjs';

/** Milliseconds until an empty queue is looked at again, more each time: far less than what work() can be told. */
const PAUSE = 3;
const LONGEST_PAUSE = 48;

/**
 * Loops over fetch() and complete(), which work in larger batches and pause less than work() does. Returns what stops
 * them.
 */
export function startBatchWorkers({ boss, queue, batch, shape, handled }) {
  const stopping = new AbortController();
  const run = taskWork(shape);
  const chained = batch.next && shape.tasks.length > 1;
  const flows = !batch.next && shape.tasks.length > 1;
  const settle = chained
    ? (jobs) => insertNextAndComplete(boss, queue, jobs, nextOf(shape))
    : (jobs) =>
        boss.complete(
          queue,
          jobs.map(({ id }) => id),
        );
  const size = batchSize(batch.fetch, shape);
  const loop = async () => {
    let pause = PAUSE;
    while (!stopping.signal.aborted) {
      const jobs = await boss.fetch(queue, { batchSize: size });
      if (jobs.length === 0) {
        await delay(pause);
        pause = Math.min(pause * 2, LONGEST_PAUSE);
        continue;
      }
      pause = PAUSE;
      await Promise.all(jobs.map(() => run()));
      await settle(jobs);
      const last = jobs.filter((job) => job.data.last).length;
      if (last > 0) handled.add(last);
      // Without it, what depends on these jobs waits for the next look of pg-boss's own, a second apart at the least.
      if (flows && last < jobs.length) await boss.resolveFlow();
    }
  };
  const loops = Array.from({ length: batch.loops }, loop);
  return async () => {
    stopping.abort();
    await Promise.all(loops);
  };
}

/** Makes the jobs that follow jobs of the same batch. */
function nextOf(shape) {
  if (shape.kind === 'map') return joinsOf;
  return (jobs) =>
    jobs
      .filter((job) => !job.data.last)
      .map(({ data }) => ({
        data: { ...data, no: data.no + 1, last: data.no + 2 === shape.tasks.length },
      }));
}

/** Counts the maps of the jobs down, in the order of their ids. A map whose last item ends is followed by one job. */
async function joinsOf(jobs, db) {
  const ended = new Map();
  for (const { data } of jobs) {
    if (data.map !== undefined) ended.set(data.map, (ended.get(data.map) ?? 0) + 1);
  }
  const next = [];
  for (const [map, count] of [...ended].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const { rows } = await db.executeSql(COUNT_DOWN, [map, count]);
    if (rows[0].isOver) next.push({ data: { last: true } });
  }
  return next;
}

async function insertNextAndComplete(boss, queue, jobs, nextJobs) {
  const ids = jobs.map(({ id }) => id);
  const transaction = await boss.getDb().beginTransaction();
  try {
    const { db } = transaction;
    const next = await nextJobs(jobs, db);
    if (next.length > 0) await boss.insert(queue, next, { db });
    await boss.complete(queue, ids, null, { db });
    await transaction.commit();
  } catch (error) {
    await transaction.rollback();
    throw error;
  }
}
