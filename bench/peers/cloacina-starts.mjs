import { setTimeout as delay } from 'node:timers/promises';
import { withCallers } from '../measure/callers.mjs';

const PATIENCE_MS = 20;

/** Resolves when the last is recorded as ended; at most `inFlight` are under way, as if that many callers waited. */
function startAndSeeEnded(runner, workflow, input, count, inFlight) {
  let started = 0;
  let ended = 0;
  return new Promise((resolve, reject) => {
    const startMore = () => {
      while (started < count && started - ended < inFlight) {
        started++;
        runner.start(workflow, input).catch(reject);
      }
    };
    const subscription = runner.events$.subscribe((event) => {
      if (event.type !== 'execution.ended' || event.workflow !== workflow) return;
      ended++;
      if (ended < count) return startMore();
      subscription.unsubscribe();
      resolve();
    });
    startMore();
  });
}

/** All of them at once, however many. Resolves when the last has ended. */
export function startAtOnce(runner, workflow, input, count) {
  return startAndSeeEnded(runner, workflow, input, count, count);
}

/** Callers that wait for the result of one call before the next. */
export function executeAll(runner, workflow, input, count, inFlight) {
  return withCallers(inFlight, count, () => runner.execute(workflow, input));
}

/**
 * Beside other processes, which may take what is started here: goes on when as much has ended here, wherever it was
 * started, or when nothing has for a while.
 */
async function startAmongOthers(runner, workflow, input, count, inFlight) {
  let ended = 0;
  let lastEnd = performance.now();
  const subscription = runner.events$.subscribe((event) => {
    if (event.type !== 'execution.ended') return;
    ended++;
    lastEnd = performance.now();
  });
  const starts = [];
  while (starts.length < count) {
    const quiet = performance.now() - lastEnd > PATIENCE_MS;
    const room = quiet ? inFlight : inFlight - (starts.length - ended);
    for (let left = Math.min(room, count - starts.length); left > 0; left--)
      starts.push(runner.start(workflow, input));
    await Promise.all([starts.at(-1), delay(1)]);
  }
  await Promise.all(starts);
  subscription.unsubscribe();
}

/** Takes nothing itself. */
function startOnly(runner, workflow, input, count, inFlight) {
  return withCallers(inFlight, count, () => runner.start(workflow, input));
}

/** All at once. Resolves when they are started. */
async function startBurst(runner, workflow, input, count) {
  await Promise.all(Array.from({ length: count }, () => runner.start(workflow, input)));
}

export function startingOf({ claims, alone, burst }) {
  if (burst) return startBurst;
  if (!claims) return startOnly;
  return alone ? startAndSeeEnded : startAmongOthers;
}

/** Milliseconds from the call: until start() is durable, the end is recorded, the caller has the result. */
export async function timeOne(runner, workflow, input) {
  let completed;
  const began = performance.now();
  const ended = new Promise((resolve) => {
    const subscription = runner.events$.subscribe((event) => {
      if (event.type !== 'execution.ended' || event.workflow !== workflow) return;
      completed = performance.now();
      subscription.unsubscribe();
      resolve();
    });
  });
  const handle = await runner.start(workflow, input);
  const accepted = performance.now();
  const result = await handle.result();
  const seen = performance.now();
  await ended;
  if (result.status !== 'Completed') throw new Error(`The execution ended ${result.status}.`);
  return { accepted: accepted - began, completed: completed - began, seen: seen - began };
}

/** Milliseconds of reading one execution, and of reading pages of fifty one after the other. */
export async function timeReads(runner, count) {
  const reads = { get: [], 'list, a page of 50': [], 'list, of one status': [] };
  const time = async (what, read) => {
    const began = performance.now();
    const result = await read();
    reads[what].push(performance.now() - began);
    return result;
  };
  let cursor;
  while (reads.get.length < count) {
    const page = await time('list, a page of 50', () => runner.list({ limit: 50, cursor }));
    await time('list, of one status', () =>
      runner.list({ limit: 50, status: 'Completed', cursor }),
    );
    cursor = page.nextCursor ?? undefined;
    for (const { id } of page.items.slice(0, 10)) await time('get', () => runner.get(id));
  }
  return reads;
}
