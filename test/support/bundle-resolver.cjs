'use strict';

const { existsSync } = require('node:fs');
const path = require('node:path');
const resolveTypeScript = require('./typescript-resolver.cjs');

const library = path.resolve(__dirname, '../../lib') + path.sep;
/** Where `bundle-dependencies.mjs` has put them. Unset when jest was not started by `npm test`. */
const folder = process.env.CLOACINA_TEST_DEPENDENCIES;
const files = new Map();

/** As `typescript-resolver.cjs`, with the bundled dependencies and library in place of one file for each module. */
module.exports = function resolve(request, options) {
  return bundled(request, options) ?? inBundle(resolveTypeScript(request, options));
};

function bundled(request, { conditions }) {
  if (folder === undefined || request.startsWith('.') || !conditions?.includes('import')) return;
  if (!files.has(request)) {
    const file = path.join(folder, request, 'index.mjs');
    files.set(request, existsSync(file) ? file : undefined);
  }
  return files.get(request);
}

/** Read at each call: without workers, jest loads this file before `global-setup.mjs` runs. */
function inBundle(file) {
  const output = process.env.CLOACINA_TEST_LIBRARY;
  if (output === undefined || !file?.startsWith(library) || !file.endsWith('.ts')) return file;
  return path.join(output, file.slice(library.length).replace(/\.ts$/, '.js'));
}
