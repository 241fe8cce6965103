import { readFile, readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';

/**
 * Writes other characters as escapes, in a folder with bundles. With one of them in it, a file of a megabyte is decoded
 * the slow way and takes twice the memory, in each process and each test file that loads it. The bundles have no
 * comments, so these characters stand in texts and patterns, where an escape means the same.
 */
export async function oneBytePerCharacter(folder) {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  for (const entry of entries) {
    if (!entry.isFile() || !/\.[cm]?js$/.test(entry.name)) continue;
    const file = path.join(entry.parentPath ?? entry.path, entry.name);
    const code = await readFile(file, 'utf8');
    const escaped = code.replace(/[^\0-\x7f]/g, escape);
    if (escaped !== code) await writeFile(file, escaped);
  }
}

/** Without the `u` flag a character beyond the first 65,536 is two matches. */
function escape(unit) {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
