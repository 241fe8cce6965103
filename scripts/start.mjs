import { existsSync } from 'node:fs';
import path from 'node:path';
import { buildLibrary, buildSample } from './build.mjs';
import { ensureDependencies } from './dependencies.mjs';
import { startPersistentServer } from './embedded-postgres.mjs';
import { checkout, main } from './run.mjs';

/**
 * `npm start`: installs, builds, brings up the checkout's own PostgreSQL unless DATABASE_URL names another, and
 * becomes the sample. The sample runs in this very process: signals reach it as they would in production, and the
 * database goes when it goes.
 */
const source = path.join(checkout, 'sample/multi-tenant/main.ts');
const compiled = path.join(checkout, 'dist-sample/multi-tenant/main.js');

await main(async () => {
  if (!existsSync(source)) throw new Error(`There is no ${source} to start.`);
  await ensureDependencies();
  await buildLibrary({ transpiled: 'accept' });
  await buildSample({ transpiled: 'accept' });
  if (!process.env.DATABASE_URL) await startDatabase();
});
await import(compiled);

async function startDatabase() {
  const { url, directory } = await startPersistentServer();
  process.env.DATABASE_URL = url;
  console.log(
    `PostgreSQL listens on 127.0.0.1:${new URL(url).port}; its data stay in ${directory}`,
  );
}
