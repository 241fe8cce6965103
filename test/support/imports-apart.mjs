import { readFile, readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';

/** Characters from which on jest's workers keep what V8 has made of a file: see `code-cache.mjs`. */
export const LARGE = 10_000;

/** TypeORM's way round compilers that make `require()` of it. */
const BY_TEXT = 'Function("return filePath => import(filePath)")()';

/**
 * Moves `import()` out of the large files of a folder into a small one, which they call. V8 loses the callback of `import()`
 * in code that it takes from a cache.
 */
export async function moveImportsApart(folder) {
  const files = await readdir(folder, { withFileTypes: true });
  for (const entry of files) {
    const extension = path.extname(entry.name);
    if (!entry.isFile() || !['.js', '.mjs', '.cjs'].includes(extension)) continue;
    const file = path.join(folder, entry.name);
    const code = await readFile(file, 'utf8');
    if (code.length < LARGE || !hasImport(code)) continue;
    const moved = code.replaceAll(BY_TEXT, 'importApart').replaceAll(/\bimport\(/g, 'importApart(');
    const helper = `import-apart${extension}`;
    const [small, use] =
      extension === '.cjs'
        ? ['exports.importApart =', `const { importApart } = require('./${helper}');`]
        : ['export const importApart =', `import { importApart } from './${helper}';`];
    await writeFile(path.join(folder, helper), `${small} (id) => import(id);\n`);
    await writeFile(file, `${use}\n${moved}`);
  }
}

/** Also for what only looks like an `import()`, which then stays without a cache. */
export function hasImport(code) {
  return /\bimport\s*\(/.test(code);
}
