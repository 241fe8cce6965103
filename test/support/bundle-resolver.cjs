'use strict';

const { existsSync } = require('node:fs');
const path = require('node:path');
const resolveTypeScript = require('./typescript-resolver.cjs');

const library = path.resolve(__dirname, '../../lib') + path.sep;
const bundles = path.resolve(__dirname, '../../.cloacina') + path.sep;
/** Where `bundle-dependencies.mjs` has put them. Unset when jest was not started by `npm test`. */
const folder = process.env.CLOACINA_TEST_DEPENDENCIES;
const known = new Map();

/** As `typescript-resolver.cjs`, with the bundled dependencies and library in place of one file for each module. */
module.exports = function resolve(request, options) {
  return bundled(request, options) ?? inBundle(resolveTypeScript(request, options));
};

/** For an `import`, and for a `require()` in a bundle. Packages that are no part of it have what is installed. */
function bundled(request, { basedir, conditions }) {
  if (folder === undefined || request.startsWith('.')) return;
  const isImport = conditions?.includes('import');
  if (!isImport && !basedir.startsWith(bundles)) return;
  return existing(path.join(folder, request, isImport ? 'index.mjs' : 'index.cjs'));
}

/** Read at each call: without workers, jest loads this file before `global-setup.mjs` runs. */
function inBundle(file) {
  const output = process.env.CLOACINA_TEST_LIBRARY;
  if (output === undefined || !file?.startsWith(library) || !file.endsWith('.ts')) return file;
  return path.join(output, file.slice(library.length).replace(/\.ts$/, '.js'));
}

/** The file, if there is one. */
function existing(file) {
  if (!known.has(file)) known.set(file, existsSync(file));
  return known.get(file) ? file : undefined;
}
