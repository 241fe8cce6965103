import { mkdir, readFile, readdir, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { transform, version } from '@swc/core';
import { bundleLibrary } from './bundle-library.mjs';

const checkout = path.resolve(import.meta.dirname, '../..');
const SOURCES = ['lib', 'test'];

/**
 * Compiles the library and the tests for the processes that tests start: one that compiles what it loads takes three
 * seconds of processor time to start, one that doesn't takes one. Only what has changed since the last time is
 * compiled. Returns the folder, which is laid out as the checkout is, and another one in which the library is one file
 * (`bundle-library.mjs`); undefined where nothing can be written.
 */
export async function compileForChildren() {
  const folder = path.join(checkout, '.cloacina', 'compiled');
  try {
    await prepare(folder);
  } catch (error) {
    if (['EACCES', 'EPERM', 'EROFS'].includes(error.code)) return undefined;
    throw error;
  }
  const files = (await Promise.all(SOURCES.map(sourcesIn))).flat();
  await Promise.all(files.map((file) => compile(file, folder)));
  const compiled = files.map((file) => file.replace(/\.ts$/, '.js'));
  return { folder, bundled: await bundleLibrary(folder, compiled) };
}

/** Empties the folder when it was compiled otherwise. By its own name, the compiled package is the one within it. */
async function prepare(folder) {
  const { name, type } = JSON.parse(await textOf(path.join(checkout, 'package.json')));
  const compiler = { version, options: await textOf(path.join(checkout, '.swcrc')) };
  const exports = { '.': './lib/index.js', './*': './lib/*.js' };
  const manifest = JSON.stringify({ name, type, exports, compiler });
  const file = path.join(folder, 'package.json');
  if ((await textOf(file).catch(() => undefined)) === manifest) return;
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  await writeWhole(file, manifest);
}

async function sourcesIn(folder) {
  const entries = await readdir(path.join(checkout, folder), {
    recursive: true,
    withFileTypes: true,
  });
  return entries
    .filter((entry) => entry.isFile() && /(?<!\.d|\.spec)\.ts$/.test(entry.name))
    .map((entry) => path.relative(checkout, path.join(entry.parentPath ?? entry.path, entry.name)));
}

/** The output has its source's time, so that an older source that took the place of a newer one is noticed too. */
async function compile(file, folder) {
  const source = path.join(checkout, file);
  const output = path.join(folder, file.replace(/\.ts$/, '.js'));
  const modified = Math.trunc((await stat(source)).mtimeMs);
  const compiled = await stat(output).catch(() => undefined);
  if (compiled !== undefined && Math.trunc(compiled.mtimeMs) === modified) return;
  const { code } = await transform(await textOf(source), {
    filename: source,
    root: checkout,
    sourceFileName: path.relative(path.dirname(output), source),
  });
  await mkdir(path.dirname(output), { recursive: true });
  await writeWhole(output, code, modified);
}

/** In one step, for two runs may compile at once. */
async function writeWhole(file, text, modified) {
  const draft = `${file}.${process.pid}`;
  try {
    await writeFile(draft, text);
    if (modified !== undefined) await utimes(draft, new Date(), new Date(modified));
    await rename(draft, file);
  } finally {
    await rm(draft, { force: true });
  }
}

function textOf(file) {
  return readFile(file, 'utf8');
}
