import { applications } from './applications.mjs';
import { buildLibrary } from './build.mjs';
import { withPackedPackage } from './check.mjs';
import { ensureDependencies } from './dependencies.mjs';
import { startEphemeralServer } from './embedded-postgres.mjs';
import { runOldestPeers } from './oldest-peers.mjs';
import { main, runNode } from './run.mjs';
import { runApplication } from './starter-applications.mjs';
import { systemPostgres } from './system-postgres.mjs';
import { testSettings } from './test-server.mjs';

/**
 * `npm run test:matrix`: what `npm test` doesn't see. The suite on another PostgreSQL (`postgres`), and the package
 * as it is published, in applications with other peers (`packages`). Without an argument, both. Names of applications
 * choose among them: `npm run test:matrix -- nest-12-esm oldest-peers`.
 */
const NAMES = ['oldest-peers', ...applications.map(({ name }) => name)];
const chosen = process.argv.slice(2);

await main(async () => {
  const unknown = chosen.filter((name) => !['postgres', 'packages', ...NAMES].includes(name));
  if (unknown.length > 0)
    throw new Error(
      `Unknown: ${unknown.join(', ')}. Known: postgres, packages, ${NAMES.join(', ')}`,
    );
  await ensureDependencies();
  const failed = [];
  const results = [];
  const attempt = async (name, work) => {
    console.log(`\n=== ${name}`);
    const problem = await work().then(
      () => undefined,
      (error) => error,
    );
    results.push(`${problem ? '✗' : '✓'} ${name}`);
    if (problem === undefined) return;
    console.error(problem.message);
    failed.push(name);
  };
  if (wants('postgres')) await onOtherServers(attempt);
  if (wants('packages')) await inOtherApplications(attempt);
  console.log(`\n${results.join('\n')}`);
  if (failed.length > 0) throw new Error(`\nFailed: ${failed.join(', ')}`);
  console.log('\nAll passed.');
});

function wants(part) {
  if (chosen.length === 0 || chosen.includes(part)) return true;
  return part === 'packages' && NAMES.some((name) => chosen.includes(name));
}

function isChosen(name) {
  return chosen.includes(name) || !NAMES.some((other) => chosen.includes(other));
}

async function onOtherServers(attempt) {
  const found = await systemPostgres();
  if (found.length === 0) console.log('There is no PostgreSQL of the system to test on.');
  for (const { version, binaries } of found) {
    await attempt(`the suite on PostgreSQL ${version}`, async () => {
      const server = await startEphemeralServer({ settings: testSettings, binaries });
      await runNode(['scripts/test.mjs'], { env: { ...process.env, DATABASE_URL: server.url } });
      await server.stop();
    });
  }
}

async function inOtherApplications(attempt) {
  await buildLibrary();
  const server = await startEphemeralServer({ settings: testSettings });
  await withPackedPackage(async (tarball) => {
    if (isChosen('oldest-peers'))
      await attempt('oldest-peers', () => runOldestPeers(tarball, server.url));
    for (const application of applications.filter(({ name }) => isChosen(name))) {
      await attempt(`install the package in ${application.name}`, () =>
        runApplication(application, { tarball, databaseUrl: server.url, attempt }),
      );
    }
  });
  await server.stop();
}
