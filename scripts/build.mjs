import { createHash } from 'node:crypto';
import {
  cpSync,
  existsSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { bundle } from './bundle.mjs';
import { bundleCli } from './bundle-cli.mjs';
import { bundlePage } from './page.mjs';
import { checkout, isMain, main, runNode } from './run.mjs';
import { transpile } from './transpile.mjs';

/**
 * lib → dist, what the package ships: a bundle for each entry, the types of each module, and the page of the dashboard. The compiled modules themselves stay in
 * `dist/.modules`, which is not shipped, for benchmarks of the library's parts.
 *
 * @param options - `transpiled`: see `build()`
 */
export function buildLibrary({ transpiled } = {}) {
  return build(
    'lib',
    'dist',
    'tsconfig.build.json',
    [
      'scripts/bundle.mjs',
      'scripts/bundle-cli.mjs',
      'scripts/page.mjs',
      'package.json',
      'dashboard',
    ],
    transpiled,
    async (fresh, compile) => {
      const modules = path.join(fresh, '.modules');
      await compile(modules);
      // They are ES modules, in a folder of CommonJS.
      writeFileSync(path.join(checkout, modules, 'package.json'), '{ "type": "module" }\n');
      await bundle(path.join(checkout, modules), path.join(checkout, fresh), packageEntries());
      await bundleCli(path.join(checkout, modules), path.join(checkout, fresh));
      cpSync(path.join(checkout, modules), path.join(checkout, fresh), {
        recursive: true,
        filter: (file) =>
          !/\.js(\.map)?$|package\.json$|[\\/]\.modules[\\/](cli|client)$/.test(file),
      });
      await bundlePage(path.join(checkout, fresh, 'dashboard'));
      await writeOpenApi(path.join(checkout, modules), path.join(checkout, fresh, 'dashboard'));
    },
  );
}

/** The description of the dashboard's HTTP API, for those who make clients of it. */
async function writeOpenApi(modules, output) {
  const file = path.join(modules, 'dashboard/openapi/document.js');
  const { openApiDocument } = await import(pathToFileURL(file).href);
  writeFileSync(
    path.join(output, 'openapi.json'),
    `${JSON.stringify(openApiDocument(), null, 2)}\n`,
  );
}

/** What `exports` of package.json names: each entry `./name` is the module `lib/name.ts`, and `.` is `lib/index.ts`. */
export function packageEntries() {
  const { exports } = JSON.parse(textOf('package.json'));
  return Object.keys(exports)
    .filter((entry) => !entry.endsWith('.json'))
    .map((entry) => (entry === '.' ? 'index' : entry.slice('./'.length)));
}

/** sample → dist-sample. It imports the package by its own name, so `dist` comes first. */
export function buildSample({ transpiled } = {}) {
  return build(
    'sample',
    'dist-sample',
    'tsconfig.sample.json',
    ['lib', 'tsconfig.build.json'],
    transpiled,
    (fresh, compile) => compile(fresh),
  );
}

function compileTypeScript(project, output) {
  return runNode(['node_modules/typescript/bin/tsc', '-p', project, '--outDir', output]);
}

const TRANSPILER = ['.swcrc', 'scripts/transpile.mjs'];

/**
 * Builds, unless the sources are those of the last time. The output appears when it is whole: neither a failed
 * nor a killed build leaves half of one.
 *
 * `transpiled` is for those that only run the output, which has no types then: `accept` takes one that is there, `make` also
 * makes one, which spares tests most of the processor time of a build. Its stamp is not that of a whole output, which both
 * prefer.
 */
async function build(source, output, project, alsoDependsOn, transpiled, make) {
  const stamp = path.join(output, '.stamp');
  const whole = fingerprintOf([
    source,
    project,
    'tsconfig.json',
    'package-lock.json',
    ...alsoDependsOn,
  ]);
  const withoutTypes = `transpiled ${fingerprintOf(TRANSPILER)} ${whole}`;
  const found = textOf(stamp);
  if (found === whole || (transpiled !== undefined && found === withoutTypes)) return;
  const [fingerprint, compile] =
    transpiled === 'make'
      ? [withoutTypes, (folder) => transpile(source, folder)]
      : [whole, (folder) => compileTypeScript(project, folder)];
  const fresh = `${output}.new-${process.pid}`;
  try {
    await make(fresh, compile);
    writeFileSync(path.join(checkout, fresh, '.stamp'), fingerprint);
    rmSync(path.join(checkout, output), { recursive: true, force: true });
    renameSync(path.join(checkout, fresh), path.join(checkout, output));
  } finally {
    rmSync(path.join(checkout, fresh), { recursive: true, force: true });
  }
}

function fingerprintOf(paths) {
  const hash = createHash('sha256');
  for (const file of paths.flatMap(filesOf).sort())
    hash.update(file).update('\0').update(textOf(file));
  return hash.digest('hex');
}

function filesOf(relative) {
  const absolute = path.join(checkout, relative);
  if (!existsSync(absolute)) return [];
  if (statSync(absolute).isFile()) return [relative];
  return readdirSync(absolute, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(checkout, path.join(entry.parentPath ?? entry.path, entry.name)));
}

function textOf(file) {
  const absolute = path.join(checkout, file);
  return existsSync(absolute) ? readFileSync(absolute, 'utf8') : undefined;
}

if (isMain(import.meta)) await main(buildLibrary);
