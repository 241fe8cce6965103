import { setTimeout as delay } from 'node:timers/promises';
import { startWorker } from '../measure/forked-worker.mjs';
import { format } from '../measure/rounds.mjs';
import { ServerFleet } from '../measure/server-fleet.mjs';
import { median } from '../statistics.mjs';

const NAMES = ['eu', 'us', 'ap'];
const LOST = 'ap';
/** Of what the others did before, while one server is down. */
const BAR = 0.2;
/** Callers of the executions that are counted, which share commits. */
const CALLERS = 200;
const OPEN_MS = 60_000;

/** One server of three is killed and comes back; and what three servers cost against one. */
export const servers = {
  name: 'servers',
  title: 'Three servers: the loss of one, and what an execution and an idle process cost',
  async run({ quick, rounds, log }) {
    const fleet = await ServerFleet.start(NAMES);
    try {
      const tenants = quick ? 30 : 300;
      const ms = quick ? 3_000 : 30_000;
      // Until what a boot sets off is over.
      const settleMs = quick ? 2_000 : 15_000;
      const outage = { tenants, ms, settleMs };
      const paced = await measureOutage(fleet, { ...outage, everyMs: quick ? 500 : 2_000 });
      log('executions at a steady rate: measured');
      const full = await measureOutage(fleet, { ...outage, everyMs: 0 });
      log('executions one after the other: measured');
      const cost = await measureCost(fleet, {
        tenants,
        executions: quick ? 2_000 : 20_000,
        rounds,
        log,
      });
      const idle = await measureIdle(fleet, {
        counts: quick ? [3, 30] : [30, 300],
        ms: quick ? 8_000 : 60_000,
        settleMs,
      });
      const worst = paced.ratios.filter((ratio) => Math.abs(ratio - 1) > BAR);
      return {
        tables: [
          { ...rowsOf('steady rate', paced), ...rowsOf('one after the other', full) },
          cost,
          idle,
        ],
        notes: [
          `steady rate: ${worst.length === 0 ? 'all ratios are' : 'NOT ALL RATIOS ARE'} within a fifth`,
          ...(quick ? ['idle: sweeps are 15 s apart, so the short run says little'] : []),
          'one after the other: the servers share this machine, so two of them have more of it than three',
        ],
        ratios: { steady: paced.ratios, full: full.ratios },
      };
    } finally {
      await fleet.stop();
    }
  },
};

async function open(database, tenants) {
  const worker = await startWorker(new URL('../measure/servers-worker.mjs', import.meta.url), {
    BENCH_SERVERS: JSON.stringify({ urls: database.urls, tenants }),
    NODE_NO_WARNINGS: '1',
  });
  const ask = async (order, more = {}) => {
    worker.send({ order, ...more });
    return (await worker.next(order)).result;
  };
  return { ask, stop: () => worker.stop() };
}

/** What the tenants of the other servers do before a server is killed, while it is away, and when it is back. */
async function measureOutage(fleet, { tenants, ms, settleMs, everyMs }) {
  const database = await fleet.createDatabase(NAMES);
  const { ask, stop } = await open(database, tenants);
  try {
    await ask('load', { everyMs });
    await delay(settleMs);
    const before = others(await ask('measure', { ms }));
    const during = ask('measure', { ms });
    await fleet.get(LOST).kill();
    const away = others(await during);
    const accepted = await fleet.get(LOST).startAgain();
    await ask('works', { server: LOST });
    const backMs = performance.now() - accepted;
    const after = others(await ask('measure', { ms }));
    await ask('rest');
    await allEnded(fleet, database, tenants);
    const ratios = ['perSecond', 'p50', 'p95'].map((figure) => away[figure] / before[figure]);
    return { before, away, after, ratios, backMs };
  } finally {
    await stop();
  }
}

/** Nothing is lost: what was started ends. */
async function allEnded(fleet, { urls }, tenants) {
  for (const [at, server] of NAMES.entries()) {
    const schemas = Array.from({ length: tenants }, (_, no) => no)
      .filter((no) => no % NAMES.length === at)
      .map((no) => `tenant_${no}`);
    const until = performance.now() + OPEN_MS;
    for (;;) {
      const count = await fleet.unfinished(urls[server], schemas);
      if (count === 0) break;
      if (performance.now() > until) throw new Error(`${server}: ${count} executions do not end.`);
      await delay(200);
    }
  }
}

/** Of the servers that are not killed, together: the slowest of their figures. */
function others(figures) {
  const all = NAMES.filter((name) => name !== LOST).map((name) => figures[name]);
  return {
    perSecond: all.reduce((sum, { perSecond }) => sum + perSecond, 0),
    p50: Math.max(...all.map(({ p50 }) => p50)),
    p95: Math.max(...all.map(({ p95 }) => p95)),
  };
}

function rowsOf(title, { before, away, after, ratios, backMs }) {
  const row = ({ perSecond, p50, p95 }) => ({
    'executions/s': format(perSecond),
    'p50 ms': format(p50),
    'p95 ms': format(p95),
  });
  const [perSecond, p50, p95] = ratios.map((ratio) => ratio.toFixed(2));
  return {
    [`${title}: two servers, before`]: row(before),
    [`${title}: while the third is away`]: row(away),
    [`${title}: ratio`]: { 'executions/s': perSecond, 'p50 ms': p50, 'p95 ms': p95 },
    [`${title}: when it is back`]: { ...row(after), 'back after ms': Math.round(backMs) },
  };
}

/**
 * The same executions in as many tenants, on one server and on three: of as many callers together, who share fewer commits on
 * three servers, and of as many callers for each server.
 */
async function measureCost(fleet, { tenants, executions, rounds, log }) {
  const settings = [
    { count: 1, callers: CALLERS, title: `one server, ${CALLERS} callers` },
    { count: 3, callers: CALLERS, title: `3 servers, ${CALLERS} callers` },
    { count: 3, callers: 3 * CALLERS, title: `3 servers, ${3 * CALLERS} callers` },
  ];
  const table = {};
  for (const { count, callers, title } of settings) {
    const database = await fleet.createDatabase(NAMES.slice(0, count));
    const { ask, stop } = await open(database, tenants);
    const taken = [];
    try {
      // Compiled, planned, and with the connections open.
      await ask('run', { executions: Math.ceil(executions / 4), callers });
      for (let round = 0; round < rounds; round++) {
        await fleet.settle();
        const before = await fleet.counters(database);
        const { ms, clientCpuMs } = await ask('run', { executions, callers });
        const after = await fleet.counters(database);
        taken.push({
          statements: (after.statements - before.statements) / executions,
          serverCpuMs: (after.serverCpuMs - before.serverCpuMs) / executions,
          clientCpuMs: clientCpuMs / executions,
          perSecond: (executions / ms) * 1_000,
        });
      }
    } finally {
      await stop();
    }
    const middle = (name) => format(median(taken.map((sample) => sample[name])));
    table[`an execution, ${title}, ${tenants} tenants`] = {
      statements: middle('statements'),
      'server CPU ms': middle('serverCpuMs'),
      'client CPU ms': middle('clientCpuMs'),
      'executions/s': middle('perSecond'),
    };
    log(`cost on ${title}: ${middle('statements')} statements an execution`);
  }
  return table;
}

/** All processes at the same time: they have nothing to do that the others could notice. */
async function measureIdle(fleet, { counts, ms, settleMs }) {
  const opened = [];
  try {
    for (const count of [1, NAMES.length])
      for (const tenants of counts) {
        const database = await fleet.createDatabase(NAMES.slice(0, count));
        opened.push({ count, tenants, database, ...(await open(database, tenants)) });
      }
    await delay(settleMs);
    const looks = async () => {
      const all = [];
      for (const { database } of opened)
        all.push({ ...(await fleet.counters(database)), at: performance.now() });
      return all;
    };
    const before = await looks();
    await delay(ms);
    const after = await looks();
    const rows = opened.map(({ count, tenants }, i) => {
      const seconds = (after[i].at - before[i].at) / 1_000;
      const statements = (after[i].statements - before[i].statements) / seconds;
      const label = `idle, ${count === 1 ? 'one server' : `${count} servers`}, ${tenants} tenants`;
      return [label, { 'statements/s': format(statements) }];
    });
    return Object.fromEntries(rows);
  } finally {
    for (const { stop } of opened) await stop();
  }
}
