import { applications } from './applications.mjs';
import { buildLibrary } from './build.mjs';
import { withPackedPackage } from './check.mjs';
import { ensureDependencies } from './dependencies.mjs';
import { startEphemeralServer } from './embedded-postgres.mjs';
import { consumers, runConsumer } from './packed-consumers.mjs';
import { main, runNode } from './run.mjs';
import { runApplication } from './starter-applications.mjs';
import { systemPostgres } from './system-postgres.mjs';
import { testSettings } from './test-server.mjs';

/**
 * `npm run test:matrix`: what `npm test` doesn't see. The suite on another PostgreSQL (`postgres`), and the package
 * as it is published, in applications with other peers (`packages`). Without an argument, both.
 */
const parts = process.argv.slice(2);

await main(async () => {
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
  return parts.length === 0 || parts.includes(part);
}

/** `npm run test:matrix -- packages nest-12-esm`: of the applications only those. */
function isChosen(name) {
  const chosen = parts.filter((part) => part !== 'postgres' && part !== 'packages');
  return chosen.length === 0 || chosen.includes(name);
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
    for (const name of consumers.filter(isChosen)) {
      await attempt(`the package in ${name}`, () => runConsumer(name, tarball, server.url));
    }
    for (const application of applications.filter(({ name }) => isChosen(name))) {
      await attempt(`install the package in ${application.name}`, () =>
        runApplication(application, { tarball, databaseUrl: server.url, attempt }),
      );
    }
  });
  await server.stop();
}
