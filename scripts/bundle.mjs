import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';

/** Peers that an application may do without. `lib` loads them by `import()` where it needs them. */
const OPTIONAL_PEERS = ['@nestjs/schedule'];

/**
 * Makes few files of the compiled modules: two hundred of them take five times as long to load. The input is what
 * TypeScript compiled, so decorators and their metadata are as it made them.
 *
 * `require` and `import` must give the same classes, or `instanceof` and Nest's tokens fail between them. So the library
 * is CommonJS, and two small files for each entry hand it on: `index.js` for `require`, `index.mjs` for `import`. For the
 * same reason the entries share what they have in common: all that `index` uses is one file, `library.js`, and the others
 * load it.
 *
 * Nest 12 exists as ES modules only, and `require` cannot load those under Jest before Node 24.9. Therefore these files
 * load nothing of Nest themselves. They take Nest's packages from `peers.js`, where `index.mjs` puts what it imports and
 * `index.js` what it requires.
 *
 * @param modules - the folder with the compiled modules and their source maps
 * @param output - the folder that the bundle is written to
 * @param entries - names of modules in the folder that applications load
 */
export async function bundle(modules, output, entries = ['index']) {
  // Only now is it installed: `npm start` loads this file in a fresh clone, before it installs anything.
  const { rolldown } = await import('rolldown');
  const input = Object.fromEntries(entries.map((name) => [name, path.join(modules, `${name}.js`)]));
  const library = await modulesOf(rolldown, input.index);
  const chunks = await generate(rolldown, input, {
    dir: output,
    codeSplitting: { groups: [{ name: 'library', test: (id) => library.has(id) }] },
  });
  mkdirSync(output, { recursive: true });
  const files = [
    ...chunks.map(chunkFiles),
    ...chunks.filter(({ isEntry }) => isEntry).map((entry) => faces(entry, chunks)),
    SHARED_FILES,
  ];
  for (const [name, text] of files.flatMap(Object.entries))
    writeFileSync(path.join(output, name), text);
}

async function modulesOf(rolldown, input) {
  const chunks = await generate(rolldown, input, {});
  return new Set(chunks.flatMap(({ moduleIds }) => moduleIds));
}

async function generate(rolldown, input, options) {
  const bundler = await rolldown({
    input,
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
    const { output } = await bundler.generate({
      format: 'cjs',
      esModule: true,
      sourcemap: true,
      entryFileNames: '[name].entry.js',
      chunkFileNames: '[name].js',
      // Messages name classes, and so does Nest.
      keepNames: true,
      comments: false,
      ...options,
    });
    return output.filter(({ type }) => type === 'chunk');
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
 * The parentheses tell V8 that the function is about to be called: without them it parses the whole file twice, which is
 * most of the time that the library takes to load.
 */
const CHUNK_BEGIN = `"use strict";
const { peers, loadPeer } = require("./peers.js");
(function () {
`;

/** The function that the entry files give Nest's packages to. The first one that does makes the library. */
const SHARED_FILES = {
  // The package is one of ES modules, as its sources are. What it ships is CommonJS, but for *.mjs.
  'package.json': '{ "type": "commonjs" }\n',
  'peers.js': lines(
    `'use strict';`,
    `const peers = {};`,
    `let load;`,
    `exports.peers = peers;`,
    `exports.loadPeer = (name) => load(name);`,
    `exports.give = (given, loadGiven) => {`,
    `  for (const name of Object.keys(given)) peers[name] ??= given[name];`,
    `  load ??= loadGiven;`,
    `};`,
  ),
};

const NEST = /require\("(@nestjs\/[^"]*)"\)/g;

function chunkFiles({ fileName, code, map }) {
  const body = code.replace(/^\/\/# sourceMappingURL=.*$/m, '').trimEnd();
  const text = `${CHUNK_BEGIN}${body.replaceAll(NEST, 'peers["$1"]')}\n})();\n`;
  // An entry that only exports what is in another chunk has none.
  if (map === null) return { [fileName]: text };
  const { version, names, sources, sourcesContent, mappings } = map;
  const shift = ';'.repeat(CHUNK_BEGIN.split('\n').length - 1);
  return {
    [fileName]: `${text}//# sourceMappingURL=${fileName}.map\n`,
    [`${fileName}.map`]: JSON.stringify({
      version,
      file: fileName,
      names,
      sources,
      sourcesContent,
      mappings: shift + mappings,
    }),
  };
}

/** Nest's packages that a chunk uses, with those of the chunks that it loads. */
function peersOf(chunk, chunks) {
  const own = [...chunk.code.matchAll(NEST)].map(([, name]) => name);
  const loaded = chunks.filter(({ fileName }) => chunk.imports.includes(fileName));
  return [...new Set([...own, ...loaded.flatMap((each) => peersOf(each, chunks))])];
}

/** What applications load. Bundlers and Node find packages and names in it without running it. */
function faces(entry, chunks) {
  const { name, exports: names, fileName } = entry;
  const list = names.toSorted().join(',\n  ');
  const peers = peersOf(entry, chunks);
  const load = (call) =>
    OPTIONAL_PEERS.map((peer) => `  if (name === '${peer}') return ${call}('${peer}');`);
  return {
    [`${name}.js`]: lines(
      `'use strict';`,
      `const peers = {`,
      ...peers.map((peer) => `  '${peer}': require('${peer}'),`),
      `};`,
      `const loadPeer = async (name) => {`,
      ...load('require'),
      `};`,
      `require('./peers.js').give(peers, loadPeer);`,
      `module.exports = require('./${fileName}');`,
      // Node reads the names of an import from this line.
      `0 && (module.exports = {\n  ${list},\n});`,
    ),
    // Node looks for the exported names of a CommonJS file that is imported, and reads all of it: a third of the time that
    // the library takes to load. This file has none, and an assignment of a variable is not followed.
    [`${name}.load.js`]: lines(
      `'use strict';`,
      `const { give } = require('./peers.js');`,
      `const load = (peers, loadPeer) => {`,
      `  give(peers, loadPeer);`,
      `  return require('./${fileName}');`,
      `};`,
      `module.exports = load;`,
    ),
    [`${name}.mjs`]: lines(
      ...peers.map((peer, i) => `import * as peer${i} from '${peer}';`),
      `import load from './${name}.load.js';`,
      `const peers = {`,
      ...peers.map((peer, i) => `  '${peer}': peer${i},`),
      `};`,
      `const loadPeer = async (name) => {`,
      ...load('import'),
      `};`,
      `export const {\n  ${list},\n} = load(peers, loadPeer);`,
    ),
    [`${name}.d.mts`]: `export * from './${name}.js';\n`,
  };
}

function lines(...all) {
  return `${all.join('\n')}\n`;
}
