'use strict';

const { existsSync } = require('node:fs');
const path = require('node:path');
const resolveTypeScript = require('./typescript-resolver.cjs');

/** Where `bundle-dependencies.mjs` has put them. Unset when jest was not started by `npm test`. */
const folder = process.env.CLOACINA_TEST_DEPENDENCIES;
const files = new Map();

/** As `typescript-resolver.cjs`, with the bundled dependencies in place of the installed ones. */
module.exports = function resolve(request, options) {
  return bundled(request, options) ?? resolveTypeScript(request, options);
};

function bundled(request, { conditions }) {
  if (folder === undefined || request.startsWith('.') || !conditions?.includes('import')) return;
  if (!files.has(request)) {
    const file = path.join(folder, request, 'index.mjs');
    files.set(request, existsSync(file) ? file : undefined);
  }
  return files.get(request);
}
