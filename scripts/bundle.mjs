import { readFileSync } from 'node:fs';
import path from 'node:path';

/**
 * What the package exports, by the name of its file in `dist`: the module under `lib` that it begins with. What several
 * of them use is in a file that they share, so each class is there once.
 */
const ENTRIES = { index: 'index' };

/**
 * Makes one file of each entry's modules: two hundred of them take five times as long to load. The input is what
 * TypeScript compiled, so decorators and their metadata are as it made them.
 *
 * @param modules - the folder with the compiled modules and their source maps
 * @param output - the folder that the bundles are written to
 */
export async function bundle(modules, output) {
  // Only now is it installed: `npm start` loads this file in a fresh clone, before it installs anything.
  const { rolldown } = await import('rolldown');
  const bundler = await rolldown({
    input: Object.fromEntries(
      Object.entries(ENTRIES).map(([name, module]) => [name, path.join(modules, `${module}.js`)]),
    ),
    platform: 'node',
    // Dependencies and peers stay the application's: there must be one TypeORM and one Nest.
    external: (id) => !id.startsWith('.') && !path.isAbsolute(id),
    plugins: [withSourceMaps],
    // Comments would name the folder of this build, so that no two builds were the same.
    experimental: { attachDebugInfo: 'none' },
    onLog: (_level, log) => {
      throw new Error(log.message);
    },
  });
  try {
    await bundler.write({
      dir: output,
      format: 'esm',
      sourcemap: true,
      entryFileNames: '[name].js',
      chunkFileNames: 'shared/[name]-[hash].js',
      // Messages name classes, and so does Nest.
      keepNames: true,
      comments: false,
    });
  } finally {
    await bundler.close();
  }
}

/** So that a bundle's map leads to the TypeScript source, and not to what was compiled from it. */
const withSourceMaps = {
  name: 'source-maps',
  load: (id) => ({
    code: readFileSync(id, 'utf8').replace(/^\/\/# sourceMappingURL=.*$/m, ''),
    map: readFileSync(`${id}.map`, 'utf8'),
  }),
};
