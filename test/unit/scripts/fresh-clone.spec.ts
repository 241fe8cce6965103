import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, it } from '@jest/globals';

const checkout = path.resolve(import.meta.dirname, '../../..');
const manifest = JSON.parse(readFileSync(path.join(checkout, 'package.json'), 'utf8')) as {
  scripts: Record<string, string>;
};

/** The files that npm's scripts begin with. */
const entries = [
  ...new Set(
    Object.values(manifest.scripts).flatMap(
      (command) => /^node (\S+\.mjs)/.exec(command)?.[1] ?? [],
    ),
  ),
];

/** What a file imports before its first line runs. */
function importsOf(file: string): string[] {
  const text = readFileSync(file, 'utf8');
  const found = text.matchAll(/^(?:import|export)\s(?:[^'";]*?\sfrom\s)?'([^']+)'/gm);
  return [...found].map(([, specifier]) => specifier ?? '');
}

function packagesNeededBy(file: string, seen = new Set<string>()): string[] {
  if (seen.has(file)) return [];
  seen.add(file);
  return importsOf(file).flatMap((specifier) => {
    if (specifier.startsWith('node:')) return [];
    if (!specifier.startsWith('.')) return [`${specifier} in ${path.relative(checkout, file)}`];
    return packagesNeededBy(path.resolve(path.dirname(file), specifier), seen);
  });
}

it('npm’s scripts are found', () => {
  expect(entries).toEqual(expect.arrayContaining(['scripts/start.mjs', 'scripts/test.mjs']));
});

it.each(entries)('%s loads in a fresh clone, where nothing is installed yet', (entry) => {
  const file = path.join(checkout, entry);
  expect(importsOf(file).length).toBeGreaterThan(0);
  expect(packagesNeededBy(file)).toEqual([]);
});
