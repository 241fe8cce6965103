import { setTimeout as delay } from 'node:timers/promises';
import { ContenderProcess } from './process.mjs';

/** Warm-up runs grow by this at most until one takes long enough to tell the rate. */
const GROWTH = 4;
const WARM_MS = 1_500;
const FEW = 256;
const SLOW_MS = 4_000;
const LOOK_EVERY_MS = 3;
const CONNECTIONS_EVERY_MS = 50;
/** Without one more execution in such a time, a contender is given up. */
const STALLED_MS = 60_000;

/**
 * One contender's executions a second, from the first call until the database says that nothing is unfinished, and
 * what each execution cost. In a database of its own and processes of its own, warmed up until their rate is known.
 */
export async function measureThroughput(scenario) {
  const opened = await openThroughput(scenario);
  try {
    return await opened.measure(Math.max(opened.unit, Math.round(opened.rate * scenario.seconds)));
  } finally {
    await opened.close();
  }
}

/** The same in parts: warmed up, to be measured any number of times. `rate` is that of the warm-up, a second. */
export async function openThroughput(scenario) {
  const { server, entry, shape, processes = 1, schemas } = scenario;
  const database = await server.createDatabase();
  const run = newRun(entry, database, scenario);
  const close = async () => {
    await Promise.all(run.workers.map((worker) => worker.stop()));
    await database.drop();
  };
  try {
    const settings = {
      url: database.url,
      name: entry.name,
      configuration: entry.configuration,
      shape,
      alone: processes === 1,
      schemas,
    };
    // One after the other: the first makes the tables.
    for (let no = 0; no < processes; no++)
      run.workers.push(await ContenderProcess.start(settings, () => run.wake()));
    const rate = await warmUp(run);
    const { unit, workers } = run;
    return { rate, unit, workers, close, measure: (count) => measureRun(server, run, count) };
  } catch (error) {
    await close();
    throw error;
  }
}

async function measureRun(server, run, count) {
  await server.settle();
  const before = await counters(server, run);
  const ms = await runToEnd(run, count);
  const after = await counters(server, run);
  if (run.entry.contender.hasOwnServer)
    return { perSecond: (count / ms) * 1_000, executions: count };
  return { perSecond: (count / ms) * 1_000, executions: count, ...costs(before, after, count) };
}

/**
 * The same with all of the work there before anyone begins: enqueued by a process that takes none, then worked off by
 * another, from when it is ready.
 */
export async function measureDrain({ server, entry, shape, count }) {
  const database = await server.createDatabase();
  const run = newRun(entry, database);
  const settings = {
    url: database.url,
    name: entry.name,
    configuration: entry.configuration,
    shape,
  };
  try {
    const enqueuer = await ContenderProcess.start({ ...settings, claims: false });
    await enqueuer.call('start', count);
    await enqueuer.stop();
    await server.settle();
    const worker = await ContenderProcess.start(settings, () => run.wake());
    run.workers.push(worker);
    const began = { at: performance.now(), handled: worker.handled };
    await ended(run, count);
    return ((count - began.handled) / (performance.now() - began.at)) * 1_000;
  } finally {
    await Promise.all(run.workers.map((worker) => worker.stop()));
    await database.drop();
  }
}

/**
 * Executions a second where all are started at once, by one of the processes or by all of them in equal shares, and what
 * that costs all processes together.
 */
export async function measureBurst({ server, entry, shape, processes, starters, count }) {
  const database = await server.createDatabase();
  const run = newRun(entry, database, { processes });
  const settings = {
    url: database.url,
    name: entry.name,
    configuration: entry.configuration,
    shape,
    burst: true,
  };
  try {
    for (let no = 0; no < processes; no++)
      run.workers.push(await ContenderProcess.start(settings, () => run.wake()));
    // So that code is compiled, plans are made and the duration of handlers is known.
    for (let warm = 0; warm < 2; warm++) await runToEnd(run, Math.ceil(count / 4), starters);
    await server.settle();
    const before = await counters(server, run);
    const connections = new Most(() => server.connections(database.name));
    const ms = await runToEnd(run, count, starters);
    const after = await counters(server, run);
    return {
      perSecond: (count / ms) * 1_000,
      executions: count,
      ...costs(before, after, count),
      ...(await claimsOf(server, run)),
      connections: await connections.stop(),
    };
  } finally {
    await Promise.all(run.workers.map((worker) => worker.stop()));
    await database.drop();
  }
}

/** The largest value of a figure that is read again and again until `stop`. */
class Most {
  #most = 0;
  #stopped = false;
  #reading;

  constructor(read) {
    this.#reading = this.#readOn(read);
  }

  async #readOn(read) {
    while (!this.#stopped) {
      this.#most = Math.max(this.#most, await read());
      await delay(CONNECTIONS_EVERY_MS);
    }
  }

  async stop() {
    this.#stopped = true;
    await this.#reading;
    return this.#most;
  }
}

/** The statements that only claim, for the whole run, and how many tasks each of them took. */
async function claimsOf(server, { entry, database }) {
  const { claims } = entry.contender;
  if (claims === undefined) return { claims: null, tasksPerClaim: null };
  const { calls, rows } = await server.calls(database.name, claims.like);
  return { claims: calls, tasksPerClaim: calls === 0 ? 0 : rows / claims.rowsPerTask / calls };
}

function newRun(entry, database, { processes = 1, schemas = [undefined] } = {}) {
  const anywhere = schemas.map((schema) => entry.contender.unfinished(schema)).join(' OR ');
  const unfinished = `SELECT ${anywhere} AS unfinished`;
  // What a run of one execution is to one process and one tenant.
  const unit = processes * schemas.length;
  return { entry, database, unfinished, unit, workers: [], total: 0, wake: () => {} };
}

/** Returns the executions a second. */
async function warmUp(run) {
  // The very first may have to wait for a poll that no other one waits for.
  await runToEnd(run, run.unit);
  let earlier = 0;
  for (let count = run.unit; ;) {
    const ms = await runToEnd(run, count);
    const rate = count / ms;
    // A few that take long may only have waited: then more of them take no longer.
    const waits = count < FEW * run.unit && rate > earlier * 1.5;
    if (ms >= SLOW_MS || (ms >= WARM_MS && !waits)) return rate * 1_000;
    earlier = rate;
    // No more than is needed, once the rate is nearly known.
    const enough = Math.max(FEW * run.unit, Math.ceil(rate * WARM_MS * 1.2));
    count = count < enough ? Math.min(count * GROWTH, enough) : count * GROWTH;
  }
}

async function runToEnd(run, count, starters = run.workers.length) {
  run.total += count;
  const began = performance.now();
  await Promise.all(
    run.workers.slice(0, starters).map((worker, no) => {
      const share = Math.floor((count + no) / starters);
      return share === 0 ? undefined : worker.call('start', share);
    }),
  );
  await ended(run, run.total);
  return performance.now() - began;
}

/** Handlers have run before their outcome is recorded; so the database has the last word. */
async function ended(run, total) {
  const handled = () => run.workers.reduce((sum, worker) => sum + worker.handled, 0);
  while (handled() < total) {
    const stalled = new AbortController();
    const stall = delay(STALLED_MS, 'stalled', { signal: stalled.signal }).catch(() => {});
    const woken = new Promise((resolve) => (run.wake = resolve));
    if ((await Promise.race([woken, stall])) === 'stalled')
      throw new Error(`${run.entry.label} stood still at ${handled()} of ${total}.`);
    stalled.abort();
  }
  for (;;) {
    const { rows } = await run.database.client.query({
      name: 'unfinished',
      text: run.unfinished,
    });
    if (!rows[0].unfinished) return;
    await delay(LOOK_EVERY_MS);
  }
}

export async function counters(server, { workers, database }) {
  const usages = await Promise.all(workers.map((worker) => worker.call('usage')));
  const cpu = usages.reduce((sum, usage) => sum + usage.user + usage.system, 0);
  return { ...(await server.counters(database.name)), clientCpuMs: cpu / 1_000 };
}

export function costs(before, after, count) {
  const each = (name) =>
    before[name] === null || after[name] === null ? null : (after[name] - before[name]) / count;
  return {
    statements: each('statements'),
    transactions: each('transactions'),
    walBytes: each('walBytes'),
    serverCpuMs: each('serverCpuMs'),
    clientCpuMs: each('clientCpuMs'),
  };
}
