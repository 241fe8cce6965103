import { setTimeout as delay } from 'node:timers/promises';
import { quantile } from '../statistics.mjs';
import { ContenderProcess } from './process.mjs';

const WARM_MS = 1_500;
/** Between two starts, so that each finds everything idle. */
const PAUSE_MS = 10;

/**
 * Milliseconds from the call until the start is accepted and until the end is recorded, for a contender that does not
 * report the latter: once the last handler has returned, the database is asked without a pause until it shows the end.
 */
export async function timeUntilRecorded({ handled, accept, isUnfinished }) {
  const done = handled.next();
  const began = performance.now();
  const id = await accept();
  const accepted = performance.now();
  await done;
  while (await isUnfinished(id));
  return { accepted: accepted - began, completed: performance.now() - began };
}

/** What one contender's starts take when it has nothing else to do, in a database and a process of its own. */
export async function measureLatency({ server, entry, shape, runs, seconds }) {
  const opened = await openLatency({ server, entry, shape });
  try {
    return await opened.measure(runs, seconds);
  } finally {
    await opened.close();
  }
}

/** The same in parts: warmed up, to be measured any number of times. */
export async function openLatency({ server, entry, shape }) {
  const database = await server.createDatabase();
  let worker;
  const close = async () => {
    await worker?.stop();
    await database.drop();
  };
  try {
    worker = await ContenderProcess.start({
      url: database.url,
      name: entry.name,
      configuration: entry.configuration,
      shape,
    });
    for (const until = performance.now() + WARM_MS; performance.now() < until;)
      await worker.call('timeOne');
  } catch (error) {
    await close();
    throw error;
  }
  const measure = async (runs, seconds) => {
    await server.settle();
    const times = [];
    const until = performance.now() + seconds * 1_000;
    while (times.length < runs && (times.length === 0 || performance.now() < until)) {
      await delay(PAUSE_MS);
      times.push(await worker.call('timeOne'));
    }
    return summary(times);
  };
  return { measure, close };
}

function summary(times) {
  const figure = (name, q) => {
    const values = times.map((time) => time[name]);
    return values.includes(undefined) ? null : quantile(values, q);
  };
  return {
    completed: figure('completed', 0.5),
    completedP95: figure('completed', 0.95),
    accepted: figure('accepted', 0.5),
    seen: figure('seen', 0.5),
    seenP95: figure('seen', 0.95),
  };
}
