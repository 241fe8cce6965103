/**
 * `npm run bench`: installs what the benchmarks need when it is missing, builds the library, and runs them on the Node
 * that all of the peers can run on. What is measured is a copy of the build, so that a later one can't change it on the way.
 */
import { cpSync, existsSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { buildLibrary } from '../scripts/build.mjs';
import { ensureDependencies } from '../scripts/dependencies.mjs';
import { checkout, exitCodeOf, main, runNpm } from '../scripts/run.mjs';

const folder = import.meta.dirname;
const node = path.join(folder, 'node_modules/node/bin/node');
const isComparison = process.argv[2] === 'compare';
const copy = path.join(checkout, `dist.new-bench-${process.pid}`);
const copyOfOther = `${copy}-other`;
const AGAINST = '--against=';

await main(async () => {
  await ensureDependencies();
  await ensurePeers();
  await buildLibrary();
  // Ctrl-C reaches the benchmarks too: they stop the server, then this process goes on to remove the copy.
  process.on('SIGINT', () => {});
  cpSync(path.join(checkout, 'dist'), copy, { recursive: true });
  try {
    process.exitCode = await exitCodeOf(
      node,
      isComparison
        ? [path.join(folder, 'compare.mjs'), ...process.argv.slice(3).map(withOtherHere)]
        : [path.join(folder, 'run.mjs'), ...process.argv.slice(2)],
      {
        env: { ...process.env, BENCH_DIST: copy },
      },
    );
  } finally {
    for (const each of [copy, copyOfOther]) rmSync(each, { recursive: true, force: true });
  }
});

/** Copies the other build of a comparison here too: in its own checkout it would load another Nest than the benchmarks. */
function withOtherHere(argument) {
  if (!argument.startsWith(AGAINST)) return argument;
  cpSync(path.resolve(argument.slice(AGAINST.length)), copyOfOther, { recursive: true });
  return `${AGAINST}${copyOfOther}`;
}

async function ensurePeers() {
  if (isInstalled()) return;
  console.log('Installing the peers…');
  await runNpm(['ci', '--no-audit', '--no-fund', '--loglevel=error'], { cwd: folder });
}

function isInstalled() {
  const installed = path.join(folder, 'node_modules/.package-lock.json');
  if (!existsSync(installed) || !existsSync(node)) return false;
  const wanted = packagesOf(path.join(folder, 'package-lock.json'));
  const found = packagesOf(installed);
  return Object.entries(wanted).every(
    ([name, { version, optional }]) => name === '' || optional || found[name]?.version === version,
  );
}

function packagesOf(file) {
  return JSON.parse(readFileSync(file, 'utf8')).packages;
}
