/**
 * A process with many tenants on one login, as the benchmark of tenants sees it: it boots when it is started, and then
 * does what it is told by messages, one at a time.
 */
import 'reflect-metadata';
import { setTimeout as delay } from 'node:timers/promises';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { CloacinaModule, CloacinaTenants, defineWorkflow } from '../dist/index.js';

const { URL: databaseUrl, TENANTS: tenants, OPTIONS: options = '{}' } = process.env;

const noop = defineWorkflow('noop')
  .task('only', () => {})
  .build();

class ProcessModule {
  workflows = ['noop'];
}
const began = performance.now();
Module({
  imports: [CloacinaModule.forRoot({ databaseUrl, ...JSON.parse(options) })],
  providers: [{ provide: 'noop', useValue: noop }],
})(ProcessModule);
const app = await NestFactory.createApplicationContext(ProcessModule, {
  logger: ['error'],
});
const served = app.get(CloacinaTenants);
await Promise.all(
  Array.from({ length: Number(tenants) }, (_, i) => served.add({ schema: schemaOf(i) })),
);
const bootMs = performance.now() - began;

function schemaOf(tenant) {
  return `bench_${String(tenant).padStart(5, '0')}`;
}

function runnerOf(tenant) {
  return served.get(schemaOf(tenant)).runner;
}

/** Milliseconds from the call of start() to the recorded end of its only task. */
async function runOne(tenant) {
  const runner = runnerOf(tenant);
  let id;
  const ended = new Map();
  let done;
  const end = new Promise((resolve) => (done = resolve));
  const subscription = runner.events$.subscribe((event) => {
    if (event.type !== 'execution.ended') return;
    ended.set(event.executionId, performance.now());
    if (event.executionId === id) done();
  });
  const startedAt = performance.now();
  ({ id } = await runner.start(noop, {}));
  if (!ended.has(id)) await end;
  subscription.unsubscribe();
  return ended.get(id) - startedAt;
}

const orders = {
  counters: () => {
    const { user, system } = process.cpuUsage();
    const { rss, heapUsed, external } = process.memoryUsage();
    const { maxRSS } = process.resourceUsage();
    return { cpuMs: (user + system) / 1_000, rss, heapUsed, external, maxRSS };
  },

  /** One execution in each of `count` tenants, one after the other, with a pause between. */
  latency: async ({ first, count, pauseMs }) => {
    const times = [];
    for (let i = first; i < first + count; i++) {
      times.push(await runOne(i % Number(tenants)));
      await delay(pauseMs);
    }
    return times;
  },

  /**
   * One execution in another tenant every `pauseMs`, while the first tenant works off `executions`. These are all started at
   * once, which blocks the event loop for the duration of the calls, or exist `beforehand`.
   */
  flood: async ({ executions, pauseMs, beforehand }) => {
    const runner = runnerOf(0);
    const flood = { left: executions, endedAt: 0 };
    const flooded = new Promise((resolve) => {
      const subscription = runner.events$.subscribe((event) => {
        if (event.type !== 'execution.ended' || --flood.left > 0) return;
        flood.endedAt = performance.now();
        subscription.unsubscribe();
        resolve();
      });
    });
    const runs = [];
    const startAll = () =>
      Promise.all(Array.from({ length: executions }, () => runner.start(noop, {})));
    if (beforehand) {
      await served.pause(schemaOf(0));
      await startAll();
    }
    const startedAt = performance.now();
    const starts = beforehand ? served.resume(schemaOf(0)) : startAll();
    for (let tenant = 1; flood.left > 0; tenant++) {
      await delay(pauseMs);
      runs.push(runOne(1 + (tenant % (Number(tenants) - 1))));
    }
    const times = await Promise.all(runs);
    await starts;
    await flooded;
    return { times, floodMs: flood.endedAt - startedAt };
  },
};

process.on('message', (message) => void obey(message));

async function obey({ order, ...rest }) {
  if (order === 'close') {
    await app.close();
    process.disconnect();
    return;
  }
  try {
    process.send({ order, result: await orders[order](rest) });
  } catch (error) {
    process.send({ order, error: String(error?.stack ?? error) });
  }
}

process.send({ order: 'boot', result: { bootMs, ...orders.counters() } });
