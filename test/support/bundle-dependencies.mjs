import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { moveImportsApart } from './imports-apart.mjs';
import { oneBytePerCharacter } from './one-byte.mjs';
import { reexport } from './reexport.mjs';

const checkout = path.resolve(import.meta.dirname, '../..');

/** What nearly every test file and every process that tests start loads: a thousand modules, one by one. */
const PACKAGES = [
  '@nestjs/common',
  '@nestjs/core',
  '@nestjs/schedule',
  '@nestjs/testing',
  '@nestjs/typeorm',
  'fast-check',
  'pg',
  'rxjs',
  'typeorm',
];

/** Packages that these load where an application has them, and no test that runs on the bundles does. */
const LEFT_OUT =
  /^(?:@nestjs\/(?:microservices|websockets|platform-express)|class-(?:validator|transformer))(?:\/|$)/;

/** TypeORM's other drivers, a third of its code: nothing but PostgreSQL is connected to. */
const OTHER_DRIVERS = /\/typeorm\/driver\/(?!postgres\/)[^/]+\/(\w+(?:Driver|QueryRunner))\.js$/;

/**
 * Makes a few files of the dependencies, laid out as `node_modules`, in a folder where Node finds them from what
 * `compile-for-children.mjs` has compiled. Loaded from there they take half of the processor time, which is most of what
 * a test file or a process costs before its first line. They are CommonJS: of that alone V8's code can be shared by test
 * files (`code-cache.mjs`) and kept with the functions that have run (`cached-code.cjs`). Made once for each installation.
 * Returns the folder; undefined where nothing can be written.
 */
export async function bundleDependencies() {
  const folder = path.join(checkout, '.cloacina', 'node_modules');
  const stamp = await stampOfInstallation();
  const stampFile = path.join(folder, '.stamp');
  if ((await readFile(stampFile, 'utf8').catch(() => undefined)) === stamp) return folder;
  try {
    await mkdir(path.dirname(folder), { recursive: true });
    const draft = await mkdtemp(`${folder}-`);
    try {
      await bundle(draft);
      await writeFile(path.join(draft, '.stamp'), stamp);
      await rm(folder, { recursive: true, force: true });
      // Of two runs at once the second one finds the folder of the first, which is the same.
      await rename(draft, folder).catch((error) => {
        if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error;
      });
    } finally {
      await rm(draft, { recursive: true, force: true });
    }
  } catch (error) {
    if (['EACCES', 'EPERM', 'EROFS'].includes(error.code)) return undefined;
    throw error;
  }
  return folder;
}

/** Changes with every package that is installed, and with this file. */
async function stampOfInstallation() {
  const hash = createHash('sha256');
  for (const file of [
    path.join(checkout, 'node_modules/.package-lock.json'),
    fileURLToPath(import.meta.url),
    path.join(import.meta.dirname, 'imports-apart.mjs'),
    path.join(import.meta.dirname, 'one-byte.mjs'),
    path.join(import.meta.dirname, 'reexport.mjs'),
  ]) {
    hash.update(await readFile(file));
  }
  return hash.digest('hex');
}

async function bundle(output) {
  const { rolldown } = await import('rolldown');
  const entries = await Promise.all(
    PACKAGES.map(async (name) => [`virtual:${name}`, await entryOf(name)]),
  );
  const sources = new Map(entries);
  const bundler = await rolldown({
    cwd: checkout,
    input: Object.fromEntries(PACKAGES.map((name) => [`${name}/index`, `virtual:${name}`])),
    platform: 'node',
    resolve: {
      // Its CommonJS has a file for each of two hundred operators, and exports that no bundler sees.
      alias: {
        'rxjs/operators': path.join(checkout, 'node_modules/rxjs/dist/esm/operators/index.js'),
        rxjs: path.join(checkout, 'node_modules/rxjs/dist/esm/index.js'),
      },
    },
    // The metadata API is one file, and has to run before any class does.
    external: (id) => id.startsWith('node:') || id === 'reflect-metadata' || LEFT_OUT.test(id),
    plugins: [
      {
        name: 'entries',
        resolveId: (id) => (sources.has(id) ? id : null),
        load: (id) => sources.get(id) ?? emptyDriver(id),
        transform: (code, id) => (id.endsWith('typeorm-compat.js') ? oneTypeOrm(code) : null),
      },
    ],
    onLog: (_level, log) => {
      if (log.code === 'UNRESOLVED_IMPORT') throw new Error(log.message);
    },
  });
  try {
    await bundler.write({
      dir: output,
      format: 'cjs',
      exports: 'named',
      entryFileNames: '[name].cjs',
      chunkFileNames: '.shared/[name]-[hash].cjs',
      // Nest names classes in messages and tokens, TypeORM in metadata.
      keepNames: true,
      comments: false,
    });
  } finally {
    await bundler.close();
  }
  await oneBytePerCharacter(output);
  await moveImportsApart(path.join(output, '.shared'));
  const require = createRequire(import.meta.url);
  for (const name of PACKAGES) {
    const folder = path.join(output, name);
    // Both lead to one copy.
    const exports = { require: './index.cjs', default: './index.mjs' };
    const manifest = { name, type: 'module', exports };
    await writeFile(path.join(folder, 'package.json'), JSON.stringify(manifest));
    const exported = Object.keys(require(path.join(folder, 'index.cjs')));
    await writeFile(path.join(folder, 'index.mjs'), reexport('./index.cjs', exported));
  }
}

function emptyDriver(id) {
  const [, name] = OTHER_DRIVERS.exec(id) ?? [];
  return name === undefined ? null : `exports.${name} = class ${name} {};`;
}

/** A module that exports what the package does under Node, its default too where it has one of its own. */
async function entryOf(name) {
  const exported = Object.keys(await import(name));
  const lines = [`export * from '${name}';`];
  if (exported.includes('default') && name !== 'rxjs') {
    lines.push(`export { default } from '${name}';`);
  }
  return lines.join('\n');
}

/** It asks for TypeORM by `createRequire`, which no bundler follows: that would be another TypeORM. */
function oneTypeOrm(code) {
  const asked = 'const require = createRequire(import.meta.url);';
  if (!code.includes(asked)) throw new Error('@nestjs/typeorm has changed.');
  return code.replace(asked, `import * as typeorm from 'typeorm'; const require = () => typeorm;`);
}
