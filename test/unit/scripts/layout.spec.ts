import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from '@jest/globals';

const checkout = path.join(import.meta.dirname, '../../..');

interface LintConfig {
  overrides: {
    files: string[];
    rules: Record<string, [string, { patterns: { regex?: string; allowTypeImports?: boolean }[] }]>;
  }[];
}

/** The folders of lib, and which of them each may import, as ARCHITECTURE.md has it. */
const table = new Map(
  readFileSync(path.join(checkout, 'ARCHITECTURE.md'), 'utf8')
    .split('\n')
    .flatMap((line): [string, string[]][] => {
      const [, folder, , may] = /^\| `(\w+)\/` +\|(.*)\|([^|]*)\|$/.exec(line) ?? [];
      if (folder === undefined) return [];
      return [[folder, [...(may ?? '').matchAll(/`(\w+)`/g)].map(([, name]) => name ?? '')]];
    }),
);
const folders = readdirSync(path.join(checkout, 'lib'), { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name)
  .sort();

describe('The table of layers in ARCHITECTURE.md', () => {
  it('has every folder of lib, and no other', () => {
    expect([...table.keys()].sort()).toEqual(folders);
  });

  it('has no circle: every folder imports only what is above it', () => {
    const seen = new Set<string>();
    for (const [folder, may] of table) {
      expect({ folder, below: may.filter((name) => !seen.has(name)) }).toEqual({
        folder,
        below: [],
      });
      seen.add(folder);
    }
  });

  it.each(folders)('says of %s what the lint rule says', (folder) => {
    const config = JSON.parse(
      readFileSync(path.join(checkout, '.oxlintrc.json'), 'utf8'),
    ) as LintConfig;
    const override = config.overrides.find(({ files }) => files.includes(`lib/${folder}/**`));
    const [, { patterns }] = override?.rules['no-restricted-imports'] ?? ['', { patterns: [] }];
    const forbidden = patterns
      .filter(({ allowTypeImports }) => allowTypeImports !== true)
      .flatMap(({ regex }) => /^\^\(\\\.\\\.\/\)\+\(([\w|]+)\)\/$/.exec(regex ?? '')?.[1] ?? [])
      .flatMap((names) => names.split('|'));
    const may = folders.filter((name) => name !== folder && !forbidden.includes(name));
    expect(may).toEqual(table.get(folder));
  });

  it.each(folders)('is true of the imports of %s', (folder) => {
    expect(importedBy(folder).filter((name) => !table.get(folder)?.includes(name))).toEqual([]);
  });
});

describe('The folders of lib/engine', () => {
  it('import each other in no circle', () => {
    const engine = path.join(checkout, 'lib/engine');
    const open = new Map(
      readdirSync(engine, { withFileTypes: true })
        .filter((entry) => entry.isDirectory())
        .map(({ name }) => [name, importedWithin(engine, name)]),
    );
    for (;;) {
      const free = [...open].find(([, to]) => !to.some((name) => open.has(name)));
      if (free === undefined) break;
      open.delete(free[0]);
    }
    expect(Object.fromEntries(open)).toEqual({});
  });
});

/** Folders of lib that a folder's files import, types included. */
function importedBy(folder: string): string[] {
  return importedWithin(path.join(checkout, 'lib'), folder);
}

function importedWithin(root: string, folder: string): string[] {
  const imported = new Set<string>();
  for (const file of readdirSync(path.join(root, folder), { recursive: true, encoding: 'utf8' })) {
    if (!file.endsWith('.ts')) continue;
    const source = path.join(root, folder, file);
    for (const [, to] of readFileSync(source, 'utf8').matchAll(/ from '(\.[^']+)'/g)) {
      const target = path.relative(root, path.resolve(path.dirname(source), to ?? ''));
      const [first, ...rest] = target.split(path.sep);
      if (rest.length > 0 && first !== undefined && first !== folder) imported.add(first);
    }
  }
  return [...imported];
}
