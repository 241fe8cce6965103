import { spawn } from 'node:child_process';
import path from 'node:path';
import { ensureDependencies } from './dependencies.mjs';
import { checkout, main } from './run.mjs';

/**
 * `npm test`: installs, and runs jest with the arguments given. Jest brings up a PostgreSQL of its own for tests that
 * need one, unless DATABASE_URL names another.
 */
await main(async () => {
  await ensureDependencies();
  // Only now is there anything to bundle, or a bundler.
  const { bundleDependencies } = await import('../test/support/bundle-dependencies.mjs');
  const folder = await bundleDependencies();
  if (folder !== undefined) {
    process.env['CLOACINA_TEST_DEPENDENCIES'] = folder;
    cacheCompiledCode(path.join(folder, '../compile-cache'));
  }
  process.exitCode = await runJest();
});

/**
 * Node keeps the context of every test file, with all that its tests have made (nodejs/node#59118): after a hundred of them
 * a worker would have two gigabytes, and spend twice the time of its tests on garbage collection. So it is replaced. Only
 * where no files are chosen: with a limit, jest starts a worker for a single file too.
 */
function memoryLimit(options) {
  const isWhole = options.every((option) => option.startsWith('-'));
  return isWhole ? ['--workerIdleMemoryLimit=512MB'] : [];
}

/**
 * Node keeps in the folder what V8 makes of the code of jest, of its workers and of the processes that tests start, which
 * would otherwise each compile the same megabytes. Node 20 ignores the variable. Coverage of code from a cache is less exact.
 */
function cacheCompiledCode(folder) {
  const isCoverage = process.argv.some((option) => option.startsWith('--coverage'));
  if (!isCoverage) process.env['NODE_COMPILE_CACHE'] ??= folder;
}

/** Its exit code. The first signal asks it to end, the second insists. */
function runJest() {
  const options = process.argv.slice(2);
  const jest = spawn(
    process.execPath,
    [
      '--experimental-vm-modules',
      '--disable-warning=ExperimentalWarning',
      // Workers get it too. Test files load and drop modules by the megabyte: a larger nursery (MB) spares most copying.
      '--max-semi-space-size=64',
      '--min-semi-space-size=64',
      'node_modules/jest/bin/jest.js',
      ...memoryLimit(options),
      ...options,
    ],
    { cwd: checkout, stdio: 'inherit' },
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
