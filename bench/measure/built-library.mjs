import path from 'node:path';
import { pathToFileURL } from 'node:url';

/** The build that is measured: the copy that `npm run bench` made, else the checkout's own. */
const folder = process.env.BENCH_DIST ?? path.resolve(import.meta.dirname, '../../dist');

export function loadBuilt(file = 'index.js') {
  return import(pathToFileURL(path.join(folder, file)).href);
}
