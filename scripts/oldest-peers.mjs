import { copyFileSync, cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { checkout, runNode, runNpm } from './run.mjs';

const SOURCES = path.join(checkout, 'test/package/oldest-peers');
/** Uses the test kit. The other applications have it too. */
const TWO_WEEKS = path.join(checkout, 'test/package/application/two-weeks.ts');

/**
 * Tasks that an old compiler must get through: with types that it works out again for each later task, it takes minutes,
 * or gives up with TS2589.
 */
const CHAIN = 50;

/**
 * Installs the packed package into a small application with the oldest of each peer and of the compiler, as they are named
 * in its package.json. Compiles and runs it. `applications.mjs` has those with the newest.
 */
export async function runOldestPeers(tarball, databaseUrl) {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'nestjs-cloacina-oldest-'));
  try {
    cpSync(SOURCES, folder, { recursive: true });
    copyFileSync(TWO_WEEKS, path.join(folder, 'two-weeks.ts'));
    const file = path.join(folder, 'package.json');
    const manifest = JSON.parse(readFileSync(file, 'utf8'));
    manifest.dependencies['nestjs-cloacina'] = `file:${tarball}`;
    writeFileSync(file, JSON.stringify(manifest, null, 2));

    writeFileSync(path.join(folder, 'chain.ts'), chainOf(CHAIN));

    const env = { ...process.env, DATABASE_URL: databaseUrl, SCHEMA: 'oldest_peers' };
    const options = { cwd: folder, env };
    // strict-peer-deps: the ranges that the package asks for must be such as can be had together.
    await runNpm(
      ['install', '--strict-peer-deps', '--no-audit', '--no-fund', '--loglevel=error'],
      options,
    );
    await runNode(['node_modules/typescript/bin/tsc'], options);
    await runNode(['dist/main.js'], options);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A workflow built without a class, in which each task reads what the one before has returned. */
function chainOf(length) {
  const tasks = Array.from({ length }, (_, i) =>
    i === 0
      ? `.task('task0', () => ({ key0: 0 }))`
      : `.task('task${i}', { dependsOn: ['task${i - 1}'] }, (context) => ({ key${i}: context.get('key${i - 1}') + 1 }))`,
  );
  return `import { defineWorkflow } from 'nestjs-cloacina';\nexport const chain = defineWorkflow('chain')${tasks.join('\n')}.build();\n`;
}
