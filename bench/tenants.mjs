import { fork } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { median, quantile } from './statistics.mjs';

const PROCESS = new URL('./tenants-process.mjs', import.meta.url);
const IDLE_MS = 60_000;
/** After a boot or a flood, until leases have been given back, and backends have reported what they did. */
const SETTLE_MS = 15_000;
const LATENCY_RUNS = 300;
const PAUSE_MS = 20;
/** Beside the flood, one starts so often, whether or not the one before has ended. */
const FLOOD_PAUSE_MS = 50;
const FLOOD = 20_000;
/** One is over in a second or two, which is time for twenty or thirty starts beside it. */
const FLOODS = 5;

/**
 * Node 24 and later grow the young generation to some 150 MB for as much garbage as a boot or a flood makes, and give it
 * back late. This keeps it as small as older versions have it, and costs nothing here.
 */
const NODE_FLAGS = ['--max-semi-space-size=8'];

/**
 * A thousand tenants on one login in one process, with default options: what they cost while idle, and how soon one of
 * them gets something done, alone and beside a flood in another one.
 */
export async function measureTenants(url, tenants = 1_000) {
  const database = `bench_tenants_${process.pid}`;
  const table = {};
  const show = (what, figures) => {
    const rounded = Object.entries(figures).map(([name, value]) => [name, readable(value)]);
    for (const [name, value] of rounded) table[`${what}: ${name}`] = { figure: value };
    console.log(`${what}: ${rounded.map((pair) => pair.join(' ')).join('; ')}`);
  };
  const server = await openObserver(url, database);
  console.log(`${tenants} tenants in one process; node ${NODE_FLAGS.join(' ')}`);
  try {
    const first = await boot(server, tenants, show, 'first boot');
    await first.close();
    const child = await boot(server, tenants, show, 'next boot');
    await idle(server, child, show, 'idle');
    await latency(child, show, 'first use', 0, tenants);
    await latency(child, show, 'second use', 0, tenants);
    await flood(child, show, `one task beside a flood of ${FLOOD} that wait`, true);
    await flood(child, show, `one task while ${FLOOD} are started at once`, false);
    await idle(server, child, show, 'idle again');
    await child.close();
  } finally {
    await server.close();
  }
  return table;
}

async function boot(server, tenants, show, what) {
  const child = await startProcess(server.url, tenants);
  const { bootMs, maxRSS } = child.booted;
  show(what, {
    'in all, ms': bootMs,
    'a tenant, ms': bootMs / tenants,
    connections: await server.connections(),
    'highest RSS, MB': maxRSS / 1024,
  });
  return child;
}

async function idle(server, child, show, what) {
  await delay(SETTLE_MS);
  const [before, serverBefore] = [await child.ask('counters'), await server.counters()];
  await delay(IDLE_MS);
  const [after, serverAfter] = [await child.ask('counters'), await server.counters()];
  const seconds = (serverAfter.at - serverBefore.at) / 1_000;
  show(what, {
    'statements/s': (serverAfter.statements - serverBefore.statements) / seconds,
    'CPU of the process, %': (after.cpuMs - before.cpuMs) / seconds / 10,
    'CPU of the server, %': (serverAfter.cpuMs - serverBefore.cpuMs) / seconds / 10,
    connections: await server.connections(),
    'RSS, MB': after.rss / 2 ** 20,
    'heap, MB': after.heapUsed / 2 ** 20,
    'highest RSS, MB': after.maxRSS / 1024,
    'backends, MB': server.backendMemory().join(' '),
  });
}

async function latency(child, show, what, first, tenants) {
  const times = await child.ask('latency', {
    first,
    count: Math.min(LATENCY_RUNS, tenants),
    pauseMs: PAUSE_MS,
  });
  show(`one task, ${what}`, timesOf(times));
}

async function flood(child, show, what, beforehand) {
  const times = [];
  const rates = [];
  for (let i = 0; i < FLOODS; i++) {
    const one = await child.ask('flood', {
      executions: FLOOD,
      pauseMs: FLOOD_PAUSE_MS,
      beforehand,
    });
    times.push(...one.times);
    rates.push((FLOOD / one.floodMs) * 1_000);
  }
  show(what, { ...timesOf(times), 'flood, executions/s': median(rates) });
}

function timesOf(times) {
  return {
    runs: times.length,
    'median ms': median(times),
    'p95 ms': quantile(times, 0.95),
    'max ms': Math.max(...times),
  };
}

function readable(value) {
  return typeof value === 'number' ? Math.round(value * 100) / 100 : value;
}

/** The process under test: it answers one order at a time. */
async function startProcess(url, tenants) {
  const child = fork(PROCESS, [], {
    env: { ...process.env, URL: url, TENANTS: String(tenants) },
    execArgv: NODE_FLAGS,
  });
  const exited = new Promise((resolve) => child.once('exit', resolve));
  const broken = exited.then((code) => {
    throw new Error(`The process ended with ${code}.`);
  });
  broken.catch(() => {});
  const next = () =>
    Promise.race([
      broken,
      new Promise((resolve, reject) => {
        child.once('message', ({ result, error }) => {
          if (error === undefined) resolve(result);
          else reject(new Error(error));
        });
      }),
    ]);
  const ask = async (order, rest = {}) => {
    const answer = next();
    child.send({ order, ...rest });
    return answer;
  };
  const booted = await next();
  return {
    booted,
    ask,
    close: async () => {
      child.send({ order: 'close' });
      await exited;
    },
  };
}

/**
 * Looks at the server from a connection to another database, so that what is counted there is the process's alone.
 * Statements are counted by pg_stat_statements, which holds some thousands of texts: enough while all is idle.
 */
async function openObserver(url, database) {
  const client = new pg.Client(url);
  await client.connect();
  await client.query('CREATE EXTENSION IF NOT EXISTS pg_stat_statements');
  await client.query(`CREATE DATABASE ${database}`);
  const tenantsUrl = new URL(url);
  tenantsUrl.pathname = `/${database}`;
  const { rows } = await client.query("SELECT pg_read_file('postmaster.pid') AS text");
  const postmaster = Number.parseInt(rows[0].text, 10);
  return {
    url: tenantsUrl.href,
    connections: async () => {
      const { rows: found } = await client.query(
        "SELECT count(*)::integer AS n FROM pg_stat_activity WHERE datname = $1 AND backend_type = 'client backend'",
        [database],
      );
      return found[0].n;
    },
    counters: async () => {
      const { rows: found } = await client.query(
        `SELECT coalesce(sum(s.calls), 0)::bigint AS n FROM pg_stat_statements s
         JOIN pg_database d ON d.oid = s.dbid WHERE d.datname = $1`,
        [database],
      );
      return {
        at: performance.now(),
        statements: Number(found[0].n),
        cpuMs: cpuOf([postmaster, ...childrenOf(postmaster)]),
      };
    },
    /** What each connection's backend has for itself, in MB. */
    backendMemory: () => childrenOf(postmaster).filter(isBackendOf(database)).map(privateMemory),
    close: async () => {
      await client.query(`DROP DATABASE IF EXISTS ${database} WITH (FORCE)`);
      await client.end();
    },
  };
}

/** Clock ticks of Linux: a hundredth of a second. */
const TICK_MS = 10;

function cpuOf(pids) {
  let ticks = 0;
  for (const pid of pids) {
    const fields = statOf(pid);
    // User and system time, also of children that have ended.
    if (fields !== undefined) for (const i of [11, 12, 13, 14]) ticks += Number(fields[i]);
  }
  return ticks * TICK_MS;
}

function childrenOf(parent) {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => Number(statOf(pid)?.[1]) === parent);
}

/** The fields of /proc/<pid>/stat behind the name, or undefined when the process has ended. */
function statOf(pid) {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return text.slice(text.lastIndexOf(')') + 2).split(' ');
  } catch {
    return undefined;
  }
}

function isBackendOf(database) {
  return (pid) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(` ${database} `);
    } catch {
      return false;
    }
  };
}

function privateMemory(pid) {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  const kilobytes = [...text.matchAll(/^Private_(?:Clean|Dirty):\s+(\d+)/gm)];
  return Math.round(kilobytes.reduce((sum, [, value]) => sum + Number(value), 0) / 1024);
}
