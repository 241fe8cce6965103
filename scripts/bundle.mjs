import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';

/** Packages that are ES modules only in some of their versions: each module system loads them in its own way. */
const PEERS = ['@nestjs/common', '@nestjs/core', '@nestjs/typeorm'];

/** Peers that an application may do without. `lib` loads them by `import()` where it needs them. */
const OPTIONAL_PEERS = ['@nestjs/schedule'];

/**
 * Makes one file of the compiled modules: two hundred of them take five times as long to load. The input is what
 * TypeScript compiled, so decorators and their metadata are as it made them.
 *
 * `require` and `import` must give the same classes, or `instanceof` and Nest's tokens fail between them. So the library
 * is one CommonJS file, `library.js`, and two small files hand it on: `index.js` for `require`, `index.mjs` for `import`.
 *
 * Nest 12 exists as ES modules only, and `require` cannot load those under Jest before Node 24.9. Therefore
 * `library.js` loads nothing of Nest itself. It is a function of Nest's packages, which `index.mjs` imports and `index.js`
 * requires.
 *
 * @param modules - the folder with the compiled modules and their source maps
 * @param output - the folder that the bundle is written to
 */
export async function bundle(modules, output) {
  // Only now is it installed: `npm start` loads this file in a fresh clone, before it installs anything.
  const { rolldown } = await import('rolldown');
  const bundler = await rolldown({
    input: path.join(modules, 'index.js'),
    platform: 'node',
    // Dependencies and peers stay the application's: there must be one TypeORM and one Nest.
    external: (id) => !id.startsWith('.') && !path.isAbsolute(id),
    plugins: [compiledModules],
    // Comments would name the folder of this build, so that no two builds were the same.
    experimental: { attachDebugInfo: 'none' },
    onLog: (_level, log) => {
      throw new Error(log.message);
    },
  });
  try {
    const { output: files } = await bundler.generate({
      format: 'cjs',
      esModule: true,
      sourcemap: true,
      // The paths in the map are relative to it.
      dir: output,
      entryFileNames: 'library.js',
      // Messages name classes, and so does Nest.
      keepNames: true,
      comments: false,
    });
    const [chunk, ...others] = files.filter(({ type }) => type === 'chunk');
    if (others.length > 0) throw new Error('The bundle is more than one file.');
    mkdirSync(output, { recursive: true });
    for (const [name, text] of Object.entries({ ...libraryFiles(chunk), ...faces(chunk.exports) }))
      writeFileSync(path.join(output, name), text);
  } finally {
    await bundler.close();
  }
}

const compiledModules = {
  name: 'compiled-modules',
  load: (id) => ({
    code: readFileSync(id, 'utf8')
      .replace(/^\/\/# sourceMappingURL=.*$/m, '')
      // The faces load optional peers too: CommonJS under Jest has no import().
      .replaceAll(/\bimport\((?=['"]@)/g, 'loadPeer('),
    // So that the bundle's map leads to the TypeScript source, and not to what was compiled from it.
    map: readFileSync(`${id}.map`, 'utf8'),
  }),
};

/**
 * The first face that calls the function makes the library, with its packages. The other one gets the same library.
 * The parentheses tell V8 that the function is about to be called: without them it parses the whole file twice, which is
 * most of the time that the library takes to load.
 */
const FUNCTION_BEGIN = `"use strict";
let made;
module.exports = (function (peers, loadPeer) {
if (made !== undefined) return made;
const exports = {};
`;
const FUNCTION_END = 'return (made = exports);\n});\n//# sourceMappingURL=library.js.map\n';

function libraryFiles({ code, map }) {
  let body = code.replace(/^\/\/# sourceMappingURL=.*$/m, '').trimEnd();
  for (const peer of PEERS) body = body.replace(`require("${peer}")`, `peers["${peer}"]`);
  const stray = body.match(/require\("(@nestjs\/[^"]*)"\)/);
  if (stray) throw new Error(`${stray[1]} is not one of the peers in scripts/bundle.mjs.`);
  const { version, names, sources, sourcesContent, mappings } = map;
  const shift = ';'.repeat(FUNCTION_BEGIN.split('\n').length - 1);
  return {
    'library.js': `${FUNCTION_BEGIN}${body}\n${FUNCTION_END}`,
    'library.js.map': JSON.stringify({
      version,
      file: 'library.js',
      names,
      sources,
      sourcesContent,
      mappings: shift + mappings,
    }),
  };
}

/** What applications load. Bundlers and Node find packages and names in it without running it. */
function faces(names) {
  const list = names.toSorted().join(',\n  ');
  const required = PEERS.map((peer) => `  '${peer}': require('${peer}'),`);
  const imports = PEERS.map((peer, i) => `import * as peer${i} from '${peer}';`);
  const imported = PEERS.map((peer, i) => `  '${peer}': peer${i},`);
  const load = (call) =>
    OPTIONAL_PEERS.map((peer) => `  if (name === '${peer}') return ${call}('${peer}');`);
  return {
    // The package is one of ES modules, as its sources are. What it ships is CommonJS, but for *.mjs.
    'package.json': '{ "type": "commonjs" }\n',
    'index.js': lines(
      `'use strict';`,
      `const peers = {`,
      ...required,
      `};`,
      `const loadPeer = async (name) => {`,
      ...load('require'),
      `};`,
      `module.exports = require('./library.js')(peers, loadPeer);`,
      // Node reads the names of an import from this line.
      `0 && (module.exports = {\n  ${list},\n});`,
    ),
    // Node looks for the exported names of a CommonJS file that is imported, and reads all of it: a third of the time that
    // the library takes to load. This file has none, and an assignment of a variable is not followed.
    'load-library.js': lines(
      `'use strict';`,
      `const library = require('./library.js');`,
      `module.exports = library;`,
    ),
    'index.mjs': lines(
      ...imports,
      `import library from './load-library.js';`,
      `const peers = {`,
      ...imported,
      `};`,
      `const loadPeer = async (name) => {`,
      ...load('import'),
      `};`,
      `export const {\n  ${list},\n} = library(peers, loadPeer);`,
    ),
    'index.d.mts': `export * from './index.js';\n`,
  };
}

function lines(...all) {
  return `${all.join('\n')}\n`;
}
