import path from 'node:path';
import { pathToFileURL } from 'node:url';

/** The build that is measured: the copy that `npm run bench` made, else the checkout's own. */
const folder = process.env.BENCH_DIST ?? path.resolve(import.meta.dirname, '../../dist');

export const builtLibrary = pathToFileURL(path.join(folder, 'index.js')).href;

/** What the package exports. */
export function loadBuilt() {
  return import(builtLibrary);
}

/** What another entry of the package exports. */
export function loadBuiltEntry(name) {
  return import(pathToFileURL(path.join(folder, `${name}.js`)).href);
}

/** One of the library's compiled modules by itself: what the package ships is bundled. */
export function loadBuiltModule(file) {
  return import(pathToFileURL(path.join(folder, '.modules', file)).href);
}
