'use strict';

const { existsSync } = require('node:fs');
const path = require('node:path');

/**
 * The sources import each other as Node will find them once compiled (`./graph.js`); under jest they are still
 * `./graph.ts`. Packages are left alone, which a `moduleNameMapper` on `.js` would not do.
 */
module.exports = function resolve(request, options) {
  if (request.startsWith('.') && request.endsWith('.js') && !isInPackage(options.basedir)) {
    const source = path.resolve(options.basedir, request.replace(/\.js$/, '.ts'));
    if (existsSync(source)) return source;
  }
  return options.defaultResolver(request, options);
};

function isInPackage(directory) {
  return directory.split(path.sep).includes('node_modules');
}
