import { setTimeout as delay } from 'node:timers/promises';
import {
  addCopies,
  addDefinitions,
  addKeys,
  addLarge,
  addRest,
} from '../measure/dashboard-data.mjs';
import { startWorker } from '../measure/forked-worker.mjs';
import { format } from '../measure/rounds.mjs';
import { median, quantile } from '../statistics.mjs';

const PAGES = 10;
/** Of the executions of the first tenant. The rest has completed. */
const FAILED = 0.1;
const OPEN = 0.05;
/** What the first tenant has beside executions. */
const BESIDE = {
  full: {
    items: 100_000,
    schedules: 100_000,
    definitions: 10_000,
    actions: 1_000_000,
    recoveries: 1_000_000,
    children: 100_000,
    events: 100_000,
    keys: 100_000,
  },
  quick: {
    items: 1_000,
    schedules: 1_000,
    definitions: 100,
    actions: 10_000,
    recoveries: 10_000,
    children: 1_000,
    events: 10_000,
    keys: 1_000,
  },
};

/** The routes of the HTTP API over a large tenant and many small ones, and what open pages cost where nothing happens. */
export const dashboard = {
  name: 'dashboard',
  title:
    'Pages of the dashboard at 1,000 tenants and 1,000,000 executions, nine tenths of them of one tenant',
  async run({ server, quick, log }) {
    const tenants = quick ? 20 : 1_000;
    const executions = quick ? 20_000 : 1_000_000;
    const beside = quick ? BESIDE.quick : BESIDE.full;
    const database = await server.createDatabase();
    const worker = await startWorker(new URL('../measure/dashboard-worker.mjs', import.meta.url), {
      BENCH_DASHBOARD: JSON.stringify({ url: database.url, tenants, items: beside.items }),
      NODE_NO_WARNINGS: '1',
    });
    try {
      const ask = async (order) => {
        worker.send(order);
        return (await worker.next(order)).result;
      };
      const { port, bootMs } = (await worker.next('boot')).result;
      log(`${format(tenants)} tenants are open after ${format(bootMs / 1_000)} s`);
      const ids = await ask('seed');
      const large = await fill(database.client, { tenants, executions, ids, beside });
      log(`${format(executions)} executions are added`);
      await server.settle();
      const origin = `http://127.0.0.1:${port}/cloacina`;
      const overview = await firstOverview(origin, tenants);
      const pages = {};
      for (const [name, path] of await routesOf(origin, { ...ids, ...large }))
        pages[name] = await timesOf(origin, path, quick ? 10 : 40);
      const slowest = Math.max(...Object.values(pages).map((times) => quantile(times, 0.95)));
      const idle = await idleOf(origin, ask, quick);
      return {
        tables: [
          { 'all tenants, from nothing': overview },
          Object.fromEntries(Object.entries(pages).map(([name, times]) => [name, rowOf(times)])),
          { [`${PAGES} open pages where nothing happens`]: idle },
        ],
        slowest,
      };
    } finally {
      await worker.stop();
      await database.drop();
    }
  },
};

async function fill(client, { tenants, executions, ids, beside }) {
  const first = Math.round(executions * 0.9);
  const rest = Math.floor((executions - first) / (tenants - 1));
  for (let no = 0; no < tenants; no++) {
    const schema = `tenant_${no}`;
    const count = no === 0 ? first : rest;
    if (no > 0) await addDefinitions(client, schema);
    const failed = Math.ceil(count * FAILED);
    const open = no === 0 ? Math.ceil(count * OPEN) : 0;
    const add = (of, many, more = {}) =>
      addCopies(client, { schema, of, count: many, salt: of + schema, ...more });
    await add(ids.completed, count - failed - open);
    await add(ids.failed, failed);
    if (open > 0) await add(ids.running, open, { isOpen: true });
  }
  await addRest(client, beside);
  await addKeys(client, beside.keys);
  const large = await addLarge(client, ids, beside);
  await client.query('VACUUM ANALYZE');
  return large;
}

/** From an empty memory to numbers of all tenants: what the first page shows at once, and when it has all. */
async function firstOverview(origin, tenants) {
  const began = performance.now();
  const first = await get(origin, 'api/overview');
  const firstMs = performance.now() - began;
  let { tenantsRead } = first;
  const shown = tenantsRead;
  while (tenantsRead < tenants) {
    await delay(100);
    ({ tenantsRead } = await get(origin, 'api/overview'));
  }
  return {
    'first answer ms': format(firstMs),
    'tenants in it': shown,
    'all tenants ms': format(performance.now() - began),
  };
}

async function routesOf(origin, { completed, failed, running, map, openMap }) {
  const list = 'api/tenants/tenant_0/executions';
  const { nextCursor } = await get(origin, `${list}?limit=200`);
  const ago = (hours) => new Date(Date.now() - hours * 3_600_000).toISOString();
  return Object.entries({
    'the page': '',
    session: 'api/session',
    overview: 'api/overview',
    tenants: 'api/tenants?limit=200',
    'a tenant': 'api/tenants/tenant_0',
    'tenants, searched': 'api/tenants?search=_1',
    'series, hour, all': 'api/series',
    'series, day, all': 'api/series?range=day',
    'series, day, one workflow': 'api/series?range=day&tenant=tenant_0&workflow=order',
    'failures, all': 'api/failures',
    'failures, one tenant': 'api/failures?tenant=tenant_0',
    processes: 'api/processes',
    executions: list,
    'executions, next page': `${list}?limit=200&cursor=${nextCursor}`,
    'executions, Failed': `${list}?status=Failed`,
    'executions, Completed': `${list}?status=Completed`,
    'executions, workflow and status': `${list}?workflow=approve&status=Completed&status=Failed`,
    'executions, workflow': `${list}?workflow=approve`,
    'executions, tag': `${list}?tag=region:north`,
    'executions, no such tag': `${list}?tag=region:south`,
    'executions, time': `${list}?createdAfter=${ago(20)}&createdBefore=${ago(19)}`,
    'executions, time and status': `${list}?createdBefore=${ago(20)}&status=Cancelled`,
    'executions, key': `${list}?workflow=approve&idempotencyKey=approval-1`,
    'executions, waiting for a signal': `${list}?waitingFor=approval`,
    'executions, children of one': `${list}?parent=${running}`,
    'executions, tree of one': `${list}?root=${running}&status=Completed`,
    'an execution': `${list}/${completed}`,
    'its history': `${list}/${completed}/history`,
    'a history of many events': `${list}/${failed}/history`,
    'why it waits': `${list}/${running}/explain`,
    'its tree': `${list}/${completed}/tree`,
    'a tree of many children': `${list}/${running}/tree`,
    'a value': `${list}/${completed}/values/total`,
    'a map': `${list}/${map}`,
    'a map with open items': `${list}/${openMap}`,
    'why a map waits': `${list}/${openMap}/explain`,
    'history of a map': `${list}/${map}/history`,
    'history of a map with steps': `${list}/${openMap}/history`,
    'items of a map': `${list}/${map}/items/store?after=90000`,
    'items, Failed': `${list}/${map}/items/store?status=Failed&after=90000`,
    workflows: 'api/tenants/tenant_0/workflows',
    'versions of a workflow': 'api/tenants/tenant_0/workflows/order/versions',
    schedules: 'api/tenants/tenant_0/schedules',
    'schedules, behind many': 'api/tenants/tenant_0/schedules?after=schedule%2090000',
    'schedules, broken': 'api/tenants/tenant_0/schedules?state=broken',
    'a schedule': 'api/tenants/tenant_0/schedules/nightly',
    'next firings of a schedule': 'api/tenants/tenant_0/schedules/nightly/preview',
    'firings of a schedule': 'api/tenants/tenant_0/schedules/nightly/firings',
    limits: 'api/tenants/tenant_0/limits',
    'limits, one limit': 'api/tenants/tenant_0/limits?name=bank',
    'limits, full': 'api/tenants/tenant_0/limits?full=true',
    actions: 'api/tenants/tenant_0/actions',
    'actions, subject': 'api/tenants/tenant_0/actions?subject=seldom',
    'actions, user': 'api/tenants/tenant_0/actions?actor=zoe',
    'actions, subject and user': 'api/tenants/tenant_0/actions?subject=schedule%201&actor=user%202',
    'count of a bulk retry': [
      'api/tenants/tenant_0/bulk',
      { action: 'retry', filter: { workflow: 'order', status: 'Failed' }, dryRun: true },
    ],
    'count of a bulk cancel, tag': [
      'api/tenants/tenant_0/bulk',
      { action: 'cancel', filter: { tag: 'region:north' }, dryRun: true },
    ],
  });
}

async function timesOf(origin, route, count) {
  const [path, body] = Array.isArray(route) ? route : [route];
  const times = [];
  for (let n = 0; n < count; n++) {
    const began = performance.now();
    await (body === undefined ? get(origin, path) : post(origin, path, body));
    times.push(performance.now() - began);
  }
  return times;
}

function rowOf(times) {
  return {
    'first ms': format(times[0]),
    'median ms': format(median(times)),
    'p95 ms': format(quantile(times, 0.95)),
  };
}

async function idleOf(origin, ask, quick) {
  const closed = new AbortController();
  const pages = await Promise.all(
    Array.from({ length: PAGES }, () => fetch(`${origin}/api/events`, { signal: closed.signal })),
  );
  for (const page of pages) void drain(page);
  // Until the numbers have been found the same some times.
  await delay(quick ? 20_000 : 150_000);
  const before = await ask('count');
  if (before.reads === 0) throw new Error('No read of a tenant was counted.');
  const seconds = quick ? 15 : 60;
  await delay(seconds * 1_000);
  const after = await ask('count');
  closed.abort();
  const { status } = pages[0];
  return {
    status,
    seconds,
    'reads of tenants': after.reads - before.reads,
    'all statements of the process': after.statements - before.statements,
  };
}

async function drain(page) {
  try {
    for await (const chunk of page.body) void chunk;
  } catch {
    // It is closed at the end.
  }
}

async function get(origin, path) {
  return answerOf(await fetch(`${origin}/${path}`), path);
}

async function post(origin, path, body) {
  const headers = { 'content-type': 'application/json', 'x-cloacina-action': '1' };
  const request = { method: 'POST', headers, body: JSON.stringify(body) };
  return answerOf(await fetch(`${origin}/${path}`, request), path);
}

async function answerOf(response, path) {
  const text = await response.text();
  if (response.status !== 200) throw new Error(`${path}: ${response.status} ${text.slice(0, 300)}`);
  return text.startsWith('{') ? JSON.parse(text) : undefined;
}
