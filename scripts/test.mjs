import { spawn } from 'node:child_process';
import { ensureDependencies } from './dependencies.mjs';
import { startEphemeralServer } from './embedded-postgres.mjs';
import { checkout } from './run.mjs';

/**
 * `npm test`: installs, brings up a PostgreSQL of its own unless DATABASE_URL names another, and runs jest with the
 * arguments given. The server ends with this process, however that ends.
 */
await ensureDependencies();

const server = process.env.DATABASE_URL
  ? undefined
  : await startEphemeralServer({ settings: { max_connections: 200 } });

const jest = spawn(
  process.execPath,
  [
    '--experimental-vm-modules',
    '--disable-warning=ExperimentalWarning',
    'node_modules/jest/bin/jest.js',
    ...process.argv.slice(2),
  ],
  {
    cwd: checkout,
    stdio: 'inherit',
    env: { ...process.env, DATABASE_URL: server?.url ?? process.env.DATABASE_URL },
  },
);
// Jest's answer decides; the first signal asks it to end, the second insists.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.once(signal, () => {
    jest.kill(signal);
    process.once(signal, () => jest.kill('SIGKILL'));
  });
}
jest.on('exit', (code) => {
  process.exitCode = code ?? 1;
  void server?.stop();
});
