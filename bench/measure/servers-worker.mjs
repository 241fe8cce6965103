/** A process that serves tenants on several servers, and starts executions in them as it is told. */
import 'reflect-metadata';
import { setTimeout as delay } from 'node:timers/promises';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { quantile } from '../statistics.mjs';
import { loadBuilt } from './built-library.mjs';
import { withCallers } from './callers.mjs';

const { CloacinaModule, CloacinaTenants, defineWorkflow } = await loadBuilt();
const { urls, tenants: count } = JSON.parse(process.env.BENCH_SERVERS);

/** After an execution that failed, in milliseconds. */
const PAUSE_MS = 100;
const TOGETHER = 25;

const order = defineWorkflow('order')
  .task('check', () => {})
  .build();
class ServersBench {
  workflows = [order.name];
}
const names = Object.keys(urls);
Module({
  imports: [
    CloacinaModule.forRoot({
      servers: Object.fromEntries(names.map((name) => [name, { databaseUrl: urls[name] }])),
      startTimeout: '1s',
    }),
  ],
  providers: [{ provide: order.name, useValue: order }],
})(ServersBench);
const app = await NestFactory.createApplicationContext(ServersBench, { logger: false });
await app.init();
const served = app.get(CloacinaTenants);
for (let from = 0; from < count; from += TOGETHER) {
  const some = Array.from({ length: Math.min(TOGETHER, count - from) }, (_, i) => from + i);
  await Promise.all(
    some.map((no) => served.add({ schema: `tenant_${no}`, server: names[no % names.length] })),
  );
}
const tenants = served.list();

/** The milliseconds of each execution that has completed, by server, since the last `measure` began. */
let taken = empty();
let loading;
let stopping = new AbortController();

const orders = {
  /** Executions one after the other in each tenant, at most one in `everyMs`. Resolves when they have begun. */
  load: ({ everyMs }) => {
    stopping = new AbortController();
    loading = Promise.all(tenants.map((tenant) => keepStarting(tenant, everyMs, stopping.signal)));
  },
  measure: async ({ ms }) => {
    taken = empty();
    await delay(ms);
    const seconds = ms / 1_000;
    return Object.fromEntries(
      Object.entries(taken).map(([server, times]) => [
        server,
        {
          perSecond: times.length / seconds,
          p50: times.length === 0 ? null : quantile(times, 0.5),
          p95: times.length === 0 ? null : quantile(times, 0.95),
        },
      ]),
    );
  },
  /** Resolves when an execution on the server has completed. */
  works: async ({ server }) => {
    const { runner } = tenants.find((tenant) => tenant.server === server);
    while ((await runner.execute(order.name, {}).catch(() => undefined)) === undefined)
      await delay(PAUSE_MS);
  },
  rest: async () => {
    stopping.abort();
    await loading;
  },
  /** Executions of all tenants in turn, as fast as they go. */
  run: async ({ executions, callers }) => {
    let at = 0;
    const before = process.cpuUsage();
    const began = performance.now();
    await withCallers(callers, executions, () =>
      tenants[at++ % tenants.length].runner.execute(order.name, {}),
    );
    const ms = performance.now() - began;
    const { user, system } = process.cpuUsage(before);
    return { ms, clientCpuMs: (user + system) / 1_000 };
  },
};

async function keepStarting({ runner, server }, everyMs, signal) {
  // Spread over the interval, so that they do not all come at the same time.
  let due = performance.now() + Math.random() * everyMs;
  while (!signal.aborted) {
    const wait = due - performance.now();
    if (wait > 0) await delay(wait);
    due = Math.max(due + everyMs, performance.now());
    const began = performance.now();
    try {
      await runner.execute(order.name, {});
      taken[server].push(performance.now() - began);
    } catch {
      await delay(PAUSE_MS);
    }
  }
}

function empty() {
  return Object.fromEntries(names.map((name) => [name, []]));
}

process.on('message', (message) => void obey(message));

async function obey(message) {
  if (message === 'stop') {
    await app.close();
    process.disconnect();
    return;
  }
  process.send({ type: message.order, result: await orders[message.order](message) });
}

process.send({ type: 'ready' });
