import { equal, deepEqual } from 'node:assert/strict';
import { createRequire } from 'node:module';
import * as path from 'node:path';
import { NestFactory } from '@nestjs/core';
import * as library from 'nestjs-cloacina';
import { AppModule } from './app.module.js';
import { OrderWorkflow } from './order.workflow.js';
import { passTwoWeeks } from './two-weeks.js';

/**
 * The HTTP application serves a request and the dashboard, runs a workflow to its end, and closes. Then two weeks pass in the
 * test kit.
 */
async function run(): Promise<void> {
  // Messages name classes, and a bundler may rename them.
  for (const [name, exported] of Object.entries(library)) {
    if (typeof exported === 'function') equal(exported.name, name);
  }
  const load = createRequire(path.resolve('package.json'));
  const required = load('nestjs-cloacina') as typeof library;
  const imported = await loadByImport();
  equal(required.CloacinaRunner, library.CloacinaRunner);
  equal(imported.CloacinaRunner, library.CloacinaRunner);

  const app = await createApplication();
  app.enableShutdownHooks();
  await app.listen(0, '127.0.0.1');
  const url = await app.getUrl();
  equal((await fetch(url)).status, 200);
  await openDashboard(`${url}/cloacina`);
  const { status, context } = await app
    .get(library.CloacinaRunner)
    .execute(OrderWorkflow, { price: 7, quantity: 6 }, { timeout: '60s' });
  await app.close();
  equal(status, 'Completed');
  deepEqual(context, { price: 7, quantity: 6, total: 42, shipped: 'worth 42' });
  await passTwoWeeks();
}

/** As a browser does: the page, its script, and its first call. */
async function openDashboard(url: string): Promise<void> {
  const page = await (await fetch(url)).text();
  const [script = 'no script'] = /assets\/main[^"]*\.js/.exec(page) ?? [];
  for (const file of [script, 'api/session', 'api/overview']) {
    equal((await fetch(`${url}/${file}`)).status, 200, file);
  }
}

/** A compiler for CommonJS makes `require()` of an `import()`, but not of this one. */
function loadByImport(): Promise<typeof library> {
  // oxlint-disable-next-line typescript/no-implied-eval -- there is no other way to an import() in CommonJS
  const load = new Function('return import("nestjs-cloacina")') as () => Promise<typeof library>;
  return load();
}

async function createApplication() {
  if (process.env['HTTP'] !== 'fastify') return NestFactory.create(AppModule);
  const load = createRequire(path.resolve('package.json'));
  const { FastifyAdapter } = load('@nestjs/platform-fastify');
  return NestFactory.create(AppModule, new FastifyAdapter());
}

run().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
