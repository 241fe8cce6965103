import { cpSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { checkApi } from './api.mjs';
import { buildLibrary } from './build.mjs';
import { packedPages } from './packed-pages.mjs';
import { checkout, isMain, main, runNode, runNpm } from './run.mjs';

/** What tools remember of files that have not changed. A fresh clone has none of it. */
const CACHE = 'node_modules/.cache/check';

/** Everything that can be known without running the library. All steps run; then it fails if one did. */
const steps = {
  format: () =>
    runNode([
      'node_modules/prettier/bin/prettier.cjs',
      '--check',
      '--log-level=warn',
      ...cached('prettier'),
      '.',
    ]),
  // Packages bring linter configurations of their own, which are none of ours.
  lint: () =>
    runNode(['node_modules/oxlint/bin/oxlint', '--disable-nested-config', '--deny-warnings']),
  types: checkTypes,
  // Files, exports and dependencies that nothing uses, and dependencies that package.json doesn't name.
  unused: () =>
    runNode([
      'node_modules/knip/bin/knip.js',
      '--treat-config-hints-as-errors',
      '--no-progress',
      ...cached('knip'),
    ]),
  spelling: checkSpelling,
  package: checkPackage,
  api: checkApi,
};

/** They only read texts, on one core, and run beside the others. */
const BESIDE = new Set(['format', 'spelling']);

function cached(tool) {
  // Contents are compared, not times: a checkout of another branch touches every file.
  const strategy = tool === 'knip' ? [] : ['--cache-strategy', 'content'];
  return ['--cache', '--cache-location', `${CACHE}/${tool}`, ...strategy];
}

/** The page of the dashboard is of the browser, so it is a project of its own. */
async function checkTypes() {
  for (const [project, name] of [
    ['tsconfig.json', 'types'],
    ['dashboard/tsconfig.json', 'page'],
  ]) {
    await runNode([
      'node_modules/typescript/bin/tsc',
      '-p',
      project,
      '--noEmit',
      '--incremental',
      '--tsBuildInfoFile',
      `${CACHE}/${name}.tsbuildinfo`,
    ]);
  }
}

async function checkSpelling() {
  try {
    await runNode([
      'node_modules/cspell/bin.mjs',
      'lint',
      '--dot',
      '--no-progress',
      '--no-summary',
      '--show-suggestions',
      ...cached('cspell'),
    ]);
  } catch (cause) {
    throw new Error(
      'Correct these words. If one is right, add it to .cspell/project.txt, or to .cspell/postgres.txt.',
      { cause },
    );
  }
}

/** The package as it would be published: what npm packs, read as Node and TypeScript read it. */
async function checkPackage() {
  await buildLibrary();
  await withPackedPackage(async (tarball) => {
    await runNode(['node_modules/publint/src/cli.js', 'run', tarball, '--strict']);
    await runNode([
      'node_modules/@arethetypeswrong/cli/dist/index.js',
      tarball,
      // A document, which nothing imports as a module: TypeScript's `node10` knows no exports, and would not find it.
      '--exclude-entrypoints',
      './dashboard/openapi.json',
    ]);
  });
}

/**
 * Packs what has been built, as npm does when it publishes, into a folder that is gone afterwards. It is packed from a
 * copy: npm's own scripts change pages of the checkout while it packs, which others may be reading.
 */
export async function withPackedPackage(use) {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'nestjs-cloacina-pack-'));
  try {
    const copy = path.join(folder, 'package');
    for (const file of ['package.json', 'LICENSE', 'dist'])
      cpSync(path.join(checkout, file), path.join(copy, file), { recursive: true });
    for (const [page, text] of packedPages()) writeFileSync(path.join(copy, page), text);
    await runNpm(['pack', '--silent', '--ignore-scripts', '--pack-destination', folder], {
      cwd: copy,
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    const tarball = readdirSync(folder).find((name) => name.endsWith('.tgz'));
    return await use(path.join(folder, tarball));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** `npm run check`: all steps, or those that are named: `npm run check -- types spelling`. */
async function check(names) {
  const unknown = names.filter((name) => !Object.hasOwn(steps, name));
  if (unknown.length > 0) {
    throw new Error(`No such step: ${unknown.join(', ')}. Steps: ${Object.keys(steps).join(', ')}`);
  }
  const failed = [];
  const takeInTurn = async (chosen) => {
    for (const [name, step] of chosen) {
      const start = performance.now();
      const error = await step().catch((reason) => reason);
      const seconds = ((performance.now() - start) / 1000).toFixed(1);
      console.log(`${error ? '✗' : '✓'} ${name} (${seconds} s)`);
      if (error) failed.push(`${name}: ${error.message}`);
    }
  };
  const asked = Object.entries(steps).filter(
    ([name]) => names.length === 0 || names.includes(name),
  );
  await Promise.all([
    takeInTurn(asked.filter(([name]) => BESIDE.has(name))),
    takeInTurn(asked.filter(([name]) => !BESIDE.has(name))),
  ]);
  for (const message of failed) console.error(message);
  if (failed.length > 0) process.exitCode = 1;
}

if (isMain(import.meta)) await main(() => check(process.argv.slice(2)));
