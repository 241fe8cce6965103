import { cp, mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { execFile } from 'node:child_process';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from '@jest/globals';

const run = promisify(execFile);
const checkout = path.resolve(import.meta.dirname, '../../..');

/** A compiler that leaves a mark, in a checkout with one file to compile. */
const TSC = `
  const { mkdirSync, writeFileSync } = require('node:fs');
  const output = process.argv[process.argv.indexOf('--outDir') + 1];
  mkdirSync(output, { recursive: true });
  writeFileSync(output + '/by-typescript.js', '');
`;

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'cloacina-build-'));
  await cp(path.join(checkout, 'scripts'), path.join(folder, 'scripts'), { recursive: true });
  await cp(path.join(checkout, '.swcrc'), path.join(folder, '.swcrc'));
  for (const made of ['sample', 'node_modules/@swc', 'node_modules/typescript/bin'])
    await mkdir(path.join(folder, made), { recursive: true });
  await symlink(
    path.join(checkout, 'node_modules/@swc/core'),
    path.join(folder, 'node_modules/@swc/core'),
  );
  await writeFile(path.join(folder, 'node_modules/typescript/bin/tsc'), TSC);
  await edit('1');
});
afterAll(() => rm(folder, { recursive: true }));

function edit(value: string): Promise<void> {
  return writeFile(path.join(folder, 'sample/one.ts'), `export const one: number = ${value};\n`);
}

/** The compiled files, after a build. */
async function built(options: { transpiled?: 'accept' | 'make' }): Promise<string[]> {
  const module = `import { buildSample } from './scripts/build.mjs'; await buildSample(${JSON.stringify(options)});`;
  await run(process.execPath, ['--input-type=module', '--eval', module], { cwd: folder });
  const files = await readdir(path.join(folder, 'dist-sample'));
  return files.filter((file) => file.endsWith('.js'));
}

const TRANSPILED = ['one.js'];
const WHOLE = ['by-typescript.js'];

it('A build without types serves those that only run it, until the sources change', async () => {
  expect(await built({ transpiled: 'make' })).toEqual(TRANSPILED);
  expect(await built({ transpiled: 'accept' })).toEqual(TRANSPILED);
  await edit('2');
  expect(await built({ transpiled: 'accept' })).toEqual(WHOLE);
});

it('A build without types never passes for a whole one, which passes for both', async () => {
  await edit('3');
  expect(await built({ transpiled: 'make' })).toEqual(TRANSPILED);
  expect(await built({})).toEqual(WHOLE);
  expect(await built({ transpiled: 'make' })).toEqual(WHOLE);
  expect(await built({ transpiled: 'accept' })).toEqual(WHOLE);
});
