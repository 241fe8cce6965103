import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from '@jest/globals';

const run = promisify(execFile);

/** Two modules may have a class of one name each, of which the bundle has to rename one. */
const MODULES = {
  'other.js': 'class Problem extends Error {}\nexport const other = new Problem();',
  'index.js': `import { other } from './other.js';
class Problem extends Error {}
export const names = [new Problem(), other].map((error) => error.constructor.name);`,
};

it('A bundle keeps the names of classes, which messages and Nest show', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'cloacina-bundle-'));
  try {
    await writeFile(path.join(folder, 'package.json'), '{"type":"module"}');
    for (const [name, code] of Object.entries(MODULES)) {
      await writeFile(path.join(folder, name), code);
      const map = { version: 3, sources: [name], names: [], mappings: '' };
      await writeFile(path.join(folder, `${name}.map`), JSON.stringify(map));
    }
    const script = pathToFileURL(path.resolve('scripts/bundle.mjs')).href;
    const output = path.join(folder, 'dist');
    const { stdout } = await run(process.execPath, [
      '--input-type=module',
      '--eval',
      `import { bundle } from ${JSON.stringify(script)};
       await bundle(${JSON.stringify(folder)}, ${JSON.stringify(output)});
       const { names } = await import(${JSON.stringify(pathToFileURL(path.join(output, 'index.js')).href)});
       console.log(JSON.stringify(names));`,
    ]);
    expect(JSON.parse(stdout)).toEqual(['Problem', 'Problem']);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
