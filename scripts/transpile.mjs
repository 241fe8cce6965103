import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { checkout } from './run.mjs';

/**
 * Compiles a folder as the TypeScript compiler does, but without declarations and without a check: file by file, in a tenth of
 * the processor time. For tests: what the package ships is compiled by TypeScript.
 *
 * @param source - the folder with the sources, relative to the checkout
 * @param output - the folder of the modules and their source maps, relative to the checkout
 */
export async function transpile(source, output) {
  // Only now is it installed: `npm start` loads this file in a fresh clone, before it installs anything.
  const { transform } = await import('@swc/core');
  const entries = await readdir(path.join(checkout, source), { recursive: true });
  const files = entries.filter((entry) => /(?<!\.d)\.ts$/.test(entry));
  await Promise.all(
    files.map(async (entry) => {
      const file = path.join(checkout, source, entry);
      const module = path.join(checkout, output, entry.replace(/\.ts$/, '.js'));
      const { code, map } = await transform(await readFile(file, 'utf8'), {
        filename: file,
        root: checkout,
        sourceFileName: path.relative(path.dirname(module), file),
        sourceMaps: true,
      });
      await mkdir(path.dirname(module), { recursive: true });
      await writeFile(module, code);
      await writeFile(`${module}.map`, map);
    }),
  );
}
