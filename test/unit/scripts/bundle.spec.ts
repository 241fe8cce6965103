import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from '@jest/globals';

const run = promisify(execFile);
const rolldownFile = path.resolve('node_modules/rolldown/dist/index.mjs');

/** Two modules may have a class of one name each, of which the bundle has to rename one. */
const MODULES = {
  'other.js': 'class Problem extends Error {}\nexport const other = new Problem();',
  'index.js': `import { other } from './other.js';
import { Injectable } from '@nestjs/common';
class Problem extends Error {}
export class Service {}
Injectable()(Service);
export const names = [new Problem(), other].map((error) => error.constructor.name);
export const fail = () => { throw new Problem('here'); };
export const jobs = async () => Object.keys(await import('@nestjs/schedule'));`,
  // Another entry, which has a module of its own and one that it shares.
  'extra.js': `import { Service } from './index.js';
import { own } from './own.js';
import { Module } from '@nestjs/terminus';
export class Derived extends Service { own = own; }
Module()(Derived);`,
  'own.js': `export const own = 'own';`,
};

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'cloacina-bundle-'));
  await write('package.json', '{"type":"module"}');
  for (const [name, code] of Object.entries(MODULES)) {
    await write(name, code);
    // Each line of the file is the same line of "its TypeScript".
    const mappings = code
      .split('\n')
      .map((_, i) => (i === 0 ? 'AAAA' : 'AACA'))
      .join(';');
    const source = name.replace('.js', '.ts');
    await write(
      `${name}.map`,
      JSON.stringify({ version: 3, sources: [source], names: [], mappings }),
    );
  }
  const script = pathToFileURL(path.resolve('scripts/bundle.mjs')).href;
  await evaluate(
    'module',
    `import { bundle } from ${JSON.stringify(script)};
     await bundle(${JSON.stringify(folder)}, ${JSON.stringify(path.join(folder, 'dist'))}, ['index', 'extra']);`,
  );
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function write(file: string, text: string): Promise<void> {
  const target = path.join(folder, file);
  await mkdir(path.dirname(target), { recursive: true });
  await writeFile(target, text);
}

/** Packages that are ES modules only, as those of Nest 12 are, or CommonJS, as those of Nest 11 are. */
async function installPeers(type: 'module' | 'commonjs'): Promise<void> {
  const exported = (names: string): string =>
    type === 'module' ? `export const ${names};` : `exports.${names};`;
  for (const [name, code] of Object.entries({
    common: exported('Injectable = () => (target) => { target.decorated = true; }'),
    core: '',
    typeorm: '',
    schedule: exported('Cron = 1'),
    terminus: exported('Module = () => (target) => { target.module = true; }'),
  })) {
    await write(
      `node_modules/@nestjs/${name}/package.json`,
      JSON.stringify({ type, exports: './index.js' }),
    );
    await write(`node_modules/@nestjs/${name}/index.js`, code);
  }
}

async function evaluate(type: 'module' | 'commonjs', code: string): Promise<string> {
  const { stdout } = await run(
    process.execPath,
    // Jest before Node 24.9 cannot require an ES module, and neither can this process.
    ['--no-experimental-require-module', `--input-type=${type}`, '--eval', code],
    { cwd: folder },
  );
  return stdout.trim();
}

const TELL =
  'library.jobs().then((jobs) => console.log(JSON.stringify([library.names, library.Service.decorated, jobs])));';
const TOLD = [['Problem', 'Problem'], true];

it('An import keeps the names of classes, and requires none of the peers, which may be ES modules', async () => {
  await installPeers('module');
  const told = await evaluate('module', `import * as library from './dist/index.mjs'; ${TELL}`);
  expect(JSON.parse(told)).toEqual([...TOLD, ['Cron']]);
});

it('A require imports none of the peers', async () => {
  await installPeers('commonjs');
  const told = await evaluate('commonjs', `const library = require('./dist/index.js'); ${TELL}`);
  expect(JSON.parse(told)).toEqual([...TOLD, ['Cron']]);
});

it('Both ways give the same classes, in either order, also by the name of the other file', async () => {
  await installPeers('commonjs');
  for (const order of ['[a(), await b()]', '[await b(), a()].reverse()']) {
    const same = await evaluate(
      'module',
      `import { createRequire } from 'node:module';
       const a = () => createRequire(import.meta.url)('./dist/index.js');
       const b = () => import('./dist/index.mjs');
       const [required, imported] = ${order};
       const { Service } = await import('./dist/index.js');
       console.log(required.Service === imported.Service, Service === imported.Service);`,
    );
    expect(same).toBe('true true');
  }
});

it('Entries share the classes of the library, and only the entry that uses a package loads it', async () => {
  const check = (load: string): string =>
    `const { Service } = ${load}('./dist/index${load === 'require' ? '.js' : '.mjs'}');
     console.log(globalThis.terminus === undefined);
     const { Derived } = ${load}('./dist/extra${load === 'require' ? '.js' : '.mjs'}');
     console.log(new Derived() instanceof Service, new Derived().own, Derived.module, globalThis.terminus);`;
  const loaded = `globalThis.terminus = 'loaded';`;
  await installPeers('module');
  await write(
    'node_modules/@nestjs/terminus/index.js',
    `${loaded} export const Module = () => (target) => { target.module = true; }`,
  );
  const imported = await evaluate('module', check('await import'));
  await installPeers('commonjs');
  await write(
    'node_modules/@nestjs/terminus/index.js',
    `${loaded} exports.Module = () => (target) => { target.module = true; }`,
  );
  const required = await evaluate('commonjs', check('require'));
  expect(imported).toBe('true\ntrue own true loaded');
  expect(required).toBe(imported);
});

it("A stack leads to the source's file and line", async () => {
  await installPeers('commonjs');
  const stack = await evaluate(
    'commonjs',
    `process.setSourceMapsEnabled(true);
     try { require('./dist/index.js').fail(); } catch (error) { console.log(error.stack); }`,
  );
  expect(stack).toContain(path.join(folder, 'index.ts:7'));
});

it('A bundler of an application keeps the library, and leaves the peers to their packages', async () => {
  await installPeers('module');
  await write('application.mjs', `import * as library from './dist/index.mjs'; ${TELL}`);
  await evaluate(
    'module',
    `import { rolldown } from ${JSON.stringify(pathToFileURL(rolldownFile).href)};
     const bundler = await rolldown({ input: 'application.mjs', platform: 'node', external: [/^@nestjs/] });
     await bundler.write({ file: 'bundled.mjs', format: 'esm' });`,
  );
  await rm(path.join(folder, 'dist'), { recursive: true });
  const told = await evaluate('module', `import './bundled.mjs';`);
  expect(JSON.parse(told)).toEqual([...TOLD, ['Cron']]);
});
