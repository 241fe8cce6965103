import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { checkout } from './run.mjs';

/**
 * Packages that only the command line uses, with those that they use. They are part of the bundle: `npx nestjs-cloacina` needs
 * them, and as dependencies every application would install them, which never loads them.
 */
const BUNDLED = ['commander', 'cli-table3', 'picocolors', '@clack/prompts'];

/** Licenses that allow it, if their texts are shipped too. */
const LICENSES = new Set(['MIT', 'ISC']);

/**
 * Makes `cli.mjs` of the compiled modules, and one more file for each part that it loads later. It loads the library from
 * `index.mjs`, as an application does, when a command needs it.
 *
 * @param modules - the folder with the compiled modules
 * @param output - the folder of the bundle of the library
 */
export async function bundleCli(modules, output) {
  // Only now is it installed: see bundle.mjs.
  const { rolldown } = await import('rolldown');
  const library = path.join(modules, 'index.js');
  const bundler = await rolldown({
    input: { cli: path.join(modules, 'cli/bin.js') },
    platform: 'node',
    plugins: [
      {
        name: 'library',
        resolveId(id, importer) {
          if (importer === undefined) return null;
          if (id.startsWith('.') && path.resolve(path.dirname(importer), id) === library)
            return { id: './index.mjs', external: true };
          return null;
        },
      },
    ],
    // Peers stay the application's. What the bundled packages use is bundled too.
    external: (id, importer) =>
      !id.startsWith('.') &&
      !path.isAbsolute(id) &&
      importer?.startsWith(modules) === true &&
      !BUNDLED.includes(id),
    experimental: { attachDebugInfo: 'none' },
    onLog: (_level, log) => {
      throw new Error(log.message);
    },
  });
  try {
    const { output: files } = await bundler.generate({
      format: 'esm',
      entryFileNames: '[name].mjs',
      chunkFileNames: 'cli-[name].mjs',
      comments: false,
      banner: ({ isEntry }) => (isEntry ? '#!/usr/bin/env node' : ''),
    });
    const chunks = files.filter(({ type }) => type === 'chunk');
    mkdirSync(output, { recursive: true });
    for (const { fileName, code } of chunks) writeFileSync(path.join(output, fileName), code);
    const notices = noticesOf(chunks.flatMap(({ moduleIds }) => moduleIds));
    writeFileSync(path.join(output, 'cli-licenses.txt'), notices);
  } finally {
    await bundler.close();
  }
}

/** The license texts of the packages that the modules come from. */
function noticesOf(moduleIds) {
  const inPackages = path.join(checkout, 'node_modules');
  const folders = new Set(
    moduleIds.flatMap((id) => {
      const file = id.replace(/^\0/, '').split('?')[0];
      if (!file.startsWith(inPackages)) return [];
      const [, folder] = /^(.*[\\/]node_modules[\\/](?:@[^\\/]+[\\/])?[^\\/]+)/.exec(file) ?? [];
      return folder === undefined ? [] : [folder];
    }),
  );
  return [...folders]
    .map((folder) => {
      const { name, version, license } = JSON.parse(
        readFileSync(path.join(folder, 'package.json'), 'utf8'),
      );
      if (!LICENSES.has(license)) throw new Error(`${name} has the license ${license}.`);
      const file = readdirSync(folder).find((each) => /^license/i.test(each));
      const text =
        file !== undefined && existsSync(path.join(folder, file))
          ? readFileSync(path.join(folder, file), 'utf8').trim()
          : `License: ${license}`;
      return `${name} ${version}\n\n${text}\n`;
    })
    .sort()
    .join(`\n${'-'.repeat(80)}\n\n`);
}
