import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const REGISTRY = Symbol.for('nestjs-cloacina:copies');

/** The file of each copy of this package that the process has loaded, in the order of loading. */
const copies: Set<string> = ((globalThis as Record<symbol, unknown>)[REGISTRY] ??=
  new Set<string>()) as Set<string>;
// Keyed by file, because a test runner may load the same file several times.
copies.add(fileURLToPath(new URL(import.meta.url.replace(/[?#].*$/, ''))));

/** A warning about several copies of the package in one process; undefined if there is one. */
export function severalCopies(): string | undefined {
  if (copies.size < 2) return undefined;
  const places = [...copies].map(describePackage).join(' and ');
  return (
    `nestjs-cloacina was loaded ${copies.size} times: ${places}. Errors, workflows and decorators work across copies, ` +
    'but each copy provides classes of its own, so injection by class, such as CloacinaRunner, works within one copy ' +
    'only. Install the package once: see `npm ls nestjs-cloacina`.'
  );
}

/** `version (folder)`, from the nearest package.json above the file. */
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
