import { existsSync } from 'node:fs';
import path from 'node:path';
import { buildLibrary, buildSample } from './build.mjs';
import { ensureDependencies } from './dependencies.mjs';
import { startPersistentServer } from './embedded-postgres.mjs';
import { checkout } from './run.mjs';

/**
 * `npm start`: installs, builds, brings up the checkout's own PostgreSQL unless DATABASE_URL names another, and
 * becomes the sample. The sample runs in this very process: signals reach it as they would in production, and the
 * database goes when it goes.
 */
const sample = 'sample/multi-tenant/main.ts';

await ensureDependencies();
if (!existsSync(path.join(checkout, sample))) {
  console.error(`There is no ${sample} to start.`);
  process.exit(1);
}
await buildLibrary();
await buildSample();

if (!process.env.DATABASE_URL) {
  const server = await startPersistentServer();
  process.env.DATABASE_URL = server.url;
  console.log(
    `PostgreSQL listens on 127.0.0.1:${new URL(server.url).port}; its data stay in ${server.directory}`,
  );
}
await import(path.join(checkout, 'dist-sample/multi-tenant/main.js'));
