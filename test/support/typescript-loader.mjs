import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { transform } from '@swc/core';

/** Loader hooks for the children that tests start: they run the sources, as the tests do. See `child-setup.mjs`. */
const root = new URL('../../', import.meta.url);
const PACKAGE = /^nestjs-cloacina(?:\/(\w+))?$/;

export async function resolve(specifier, context, next) {
  const [named, entry = 'index'] = PACKAGE.exec(specifier) ?? [];
  if (named) return { url: new URL(`lib/${entry}.ts`, root).href, shortCircuit: true };
  if (
    specifier.startsWith('.') &&
    specifier.endsWith('.js') &&
    context.parentURL?.endsWith('.ts')
  ) {
    const source = new URL(specifier.replace(/\.js$/, '.ts'), context.parentURL);
    if (existsSync(source)) return { url: source.href, shortCircuit: true };
  }
  return next(specifier, context);
}

export async function load(url, context, next) {
  if (!url.startsWith('file:') || !url.endsWith('.ts')) return next(url, context);
  const filename = fileURLToPath(url);
  const { code } = await transform(await readFile(filename, 'utf8'), {
    filename,
    root: fileURLToPath(root),
  });
  return { format: 'module', source: code, shortCircuit: true };
}
