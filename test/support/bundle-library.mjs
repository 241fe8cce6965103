import { createHash } from 'node:crypto';
import { link, mkdir, mkdtemp, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { moveImportsApart } from './imports-apart.mjs';
import { oneBytePerCharacter } from './one-byte.mjs';
import { reexport } from './reexport.mjs';

/** Modules that run a program, or load packages that few tests need: they stay files of their own. */
const APART =
  /[\\/]lib[\\/](?:(?:cli|dashboard|observability)[\\/]|(?:dashboard|otel|terminus)\.js$|tenants[\\/]health[\\/]cloacina-health-indicator\.js$)/;

/**
 * Lays out what `compile-for-children.mjs` has compiled once more, with one file that has all of the library and, in place of
 * each of its modules, a file that exports from it what the module does. A process that loads the modules one by one spends
 * half of the processor time of its start on that. Without a source map, which every process would read as it loads the file,
 * and jest for each error whose stack is looked at. Made anew when something was compiled. Returns the folder.
 *
 * @param compiled - the folder with the compiled modules
 * @param files - what is in it, relative to it
 */
export async function bundleLibrary(compiled, files) {
  const folder = path.join(path.dirname(compiled), 'bundled');
  const stamp = await stampOf(compiled, files);
  if ((await readFile(path.join(folder, '.stamp'), 'utf8').catch(() => undefined)) === stamp) {
    return folder;
  }
  const draft = await mkdtemp(`${folder}-`);
  try {
    const isLibrary = (file) => file.startsWith(`lib${path.sep}`);
    await bundle(compiled, files.filter(isLibrary), draft);
    const isTest = (file) => !isLibrary(file) || APART.test(`${path.sep}${file}`);
    for (const file of [...files.filter(isTest), 'package.json']) {
      const copy = path.join(draft, file);
      await mkdir(path.dirname(copy), { recursive: true });
      await link(path.join(compiled, file), copy);
    }
    await writeFile(path.join(draft, '.stamp'), stamp);
    await rm(folder, { recursive: true, force: true });
    // Of two runs at once the second one finds the folder of the first, which is the same.
    await rename(draft, folder).catch((error) => {
      if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error;
    });
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
  return folder;
}

/** Changes with every compiled file, which has its source's time, and with this one. */
async function stampOf(compiled, files) {
  const hash = createHash('sha256');
  for (const file of [
    fileURLToPath(import.meta.url),
    path.join(import.meta.dirname, 'imports-apart.mjs'),
    path.join(import.meta.dirname, 'one-byte.mjs'),
    path.join(import.meta.dirname, 'reexport.mjs'),
  ]) {
    hash.update(await readFile(file));
  }
  const times = await Promise.all(
    files.map(async (file) => (await stat(path.join(compiled, file))).mtimeMs),
  );
  return hash.update(JSON.stringify([files, times])).digest('hex');
}

async function bundle(compiled, modules, output) {
  const together = modules.filter((file) => !APART.test(`${path.sep}${file}`));
  const chunks = await write(compiled, together, {
    dir: output,
    format: 'cjs',
    exports: 'named',
    entryFileNames: '[name].cjs',
    chunkFileNames: 'lib/[name]-[hash].cjs',
  });
  for (const { isEntry, fileName, exports } of chunks) {
    if (!isEntry) continue;
    const file = path.join(output, fileName.replace(/cjs$/, 'js'));
    await writeFile(file, reexport(`./${path.basename(fileName)}`, exports));
  }
  await oneBytePerCharacter(output);
  await moveImportsApart(path.join(output, 'lib'));
}

/** Returns the chunks. */
async function write(compiled, modules, options) {
  const { rolldown } = await import('rolldown');
  const bundler = await rolldown({
    cwd: compiled,
    input: Object.fromEntries(
      modules.map((file) => [file.replace(/\.js$/, ''), path.join(compiled, file)]),
    ),
    platform: 'node',
    external: (id) => !id.startsWith('.') && !path.isAbsolute(id),
    onLog: (_level, log) => {
      if (log.code === 'UNRESOLVED_IMPORT') throw new Error(log.message);
    },
  });
  try {
    const { output } = await bundler.write({
      ...options,
      codeSplitting: { groups: [{ name: 'library', test: (id) => !APART.test(id) }] },
      // Nest names classes in messages and tokens, and so does the library.
      keepNames: true,
      comments: false,
    });
    return output.filter(({ type }) => type === 'chunk');
  } finally {
    await bundler.close();
  }
}
