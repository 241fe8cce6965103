import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const REGISTRY = Symbol.for('nestjs-cloacina:copies');

/** The file of each copy of this package that the process has loaded, in the order in which they came. */
const copies: Set<string> = ((globalThis as Record<symbol, unknown>)[REGISTRY] ??=
  new Set<string>()) as Set<string>;
// By the file: a test runner may load the same one several times.
copies.add(fileURLToPath(new URL(import.meta.url.replace(/[?#].*$/, ''))));

/** What to say of several copies of the package in one process; undefined where there is one. */
export function severalCopies(): string | undefined {
  if (copies.size < 2) return undefined;
  const places = [...copies].map(describePackage).join(' and ');
  return (
    `nestjs-cloacina was loaded ${copies.size} times: ${places}. Errors, workflows and decorators of each are understood, ` +
    'but what is injected by class, such as CloacinaRunner, is found under the class of the same copy only. Install it once: ' +
    'see `npm ls nestjs-cloacina`.'
  );
}

/** `version (folder)`, as the manifest above the file has it. */
function describePackage(file: string): string {
  for (let folder = path.dirname(file); ; folder = path.dirname(folder)) {
    const manifest = path.join(folder, 'package.json');
    if (existsSync(manifest)) return `${versionIn(manifest)} (${folder})`;
    if (folder === path.dirname(folder)) return file;
  }
}

function versionIn(manifest: string): string {
  try {
    const { version } = JSON.parse(readFileSync(manifest, 'utf8')) as { version?: unknown };
    return typeof version === 'string' ? version : 'unknown version';
  } catch {
    return 'unknown version';
  }
}
