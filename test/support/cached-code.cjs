'use strict';

const { readFileSync, renameSync, writeFileSync } = require('node:fs');
const Module = require('node:module');
const path = require('node:path');
const vm = require('node:vm');

const bundles = path.resolve(__dirname, '../../.cloacina') + path.sep;
/** Characters from which on it takes less time to read what V8 made of a file than to compile it. */
const LARGE = 10_000;
/** When most of what such a process runs has been compiled, in milliseconds from the load. */
const KEPT_AFTER_MS = 1_500;

const load = require.extensions['.js'];

/**
 * Loads the bundles that `bundle-dependencies.mjs` and `bundle-library.mjs` have made with what V8 made of them in a process before:
 * half of the processor time that a process spends until it has booted. Node keeps such code by itself from version 22 on, of
 * ES modules, and not in processes that are killed.
 */
function loadCached(module, filename) {
  if (!filename.startsWith(bundles)) return load(module, filename);
  const code = readFileSync(filename, 'latin1');
  if (code.length < LARGE) return load(module, filename);
  const file = `${filename}.cache`;
  const cachedData = contentOf(file);
  const script = new vm.Script(Module.wrap(code), { filename, cachedData });
  const run = script.runInThisContext();
  run.call(
    module.exports,
    module.exports,
    Module.createRequire(filename),
    module,
    filename,
    path.dirname(filename),
  );
  if (cachedData === undefined || script.cachedDataRejected) keepLater(script, file);
}

function contentOf(file) {
  try {
    return readFileSync(file);
  } catch {
    return undefined;
  }
}

/** With the functions that have been called by then. */
function keepLater(script, file) {
  setTimeout(() => {
    const draft = `${file}.${process.pid}`;
    writeFileSync(draft, script.createCachedData());
    renameSync(draft, file);
  }, KEPT_AFTER_MS).unref();
}

module.exports = function keepCompiledCode() {
  require.extensions['.cjs'] = loadCached;
};
