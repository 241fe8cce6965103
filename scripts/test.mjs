import { spawn } from 'node:child_process';
import { ensureDependencies } from './dependencies.mjs';
import { startEphemeralServer } from './embedded-postgres.mjs';
import { checkout, main } from './run.mjs';

/**
 * `npm test`: installs, brings up a PostgreSQL of its own unless DATABASE_URL names another, and runs jest with the
 * arguments given. The server ends with this process, however that ends.
 */
await main(async () => {
  await ensureDependencies();
  if (process.env.DATABASE_URL) {
    process.exitCode = await runJest(process.env.DATABASE_URL);
  } else {
    const server = await startEphemeralServer({ settings: { max_connections: 200 } });
    process.exitCode = await runJest(server.url);
    await server.stop();
  }
});

/** Its exit code. The first signal asks it to end, the second insists. */
function runJest(databaseUrl) {
  const jest = spawn(
    process.execPath,
    [
      '--experimental-vm-modules',
      '--disable-warning=ExperimentalWarning',
      'node_modules/jest/bin/jest.js',
      ...process.argv.slice(2),
    ],
    { cwd: checkout, stdio: 'inherit', env: { ...process.env, DATABASE_URL: databaseUrl } },
  );
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.once(signal, () => {
      jest.kill(signal);
      process.once(signal, () => jest.kill('SIGKILL'));
    });
  }
  return new Promise((resolve, reject) => {
    jest.once('error', reject);
    jest.once('exit', (code) => resolve(code ?? 1));
  });
}
