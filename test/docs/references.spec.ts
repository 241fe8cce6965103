import { existsSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from '@jest/globals';
import * as library from 'nestjs-cloacina';
import { SHARED_CHECKS } from '../../lib/options/shared-options.js';
import { queryIn, openTenant } from '../support/open-tenant.js';
import { anchors, checkout, links, pages, section, tableRows, textOf } from './markdown.js';

const codeIn = (cell = ''): string[] =>
  [...cell.matchAll(/`([^`]+)`/g)].map(([, code]) => code ?? '');
const firstNames = (rows: string[][]): string[] => rows.flatMap(([cell]) => codeIn(cell));

describe.each(pages())('%s', (file) => {
  it('has links that lead somewhere', () => {
    const broken = links(file)
      .filter((target) => !/^https?:/.test(target))
      .filter((target) => {
        const [relative = '', anchor] = target.split('#');
        const linked = relative === '' ? file : path.join(path.dirname(file), relative);
        if (!existsSync(path.join(checkout, linked))) return true;
        return anchor !== undefined && !anchors(linked).includes(anchor);
      });
    expect(broken).toEqual([]);
  });

  it('names nothing of the library that does not exist', () => {
    const inCode = [...textOf(file).matchAll(/`((?:Cloacina|Inject|get)[A-Z]\w+|\w+Error)\b/g)];
    const ours = inCode.map(([, name]) => name ?? '').filter((name) => !FOREIGN.has(name));
    expect(ours.filter((name) => !(name in library))).toEqual([]);
  });
});

/** Names of other packages that look like the library's. */
const FOREIGN = new Set<string>(['InjectDataSource', 'InjectRepository']);

describe('docs/module.md', () => {
  it('has each option, once', () => {
    const [shared, own] = optionTables();
    expect(shared?.sort()).toEqual(Object.keys(SHARED_CHECKS).sort());
    expect(own).toEqual(['tenant', 'schema', 'workflows', 'entities', 'migrations', 'isolation']);
  });

  function optionTables(): string[][] {
    const rows = tableRows(section('docs/module.md', '## Options'));
    const names = firstNames(rows);
    const at = names.indexOf('tenant');
    return [names.slice(0, at), names.slice(at)];
  }
});

describe('docs/errors.md', () => {
  it('has each error with its code', () => {
    const rows = tableRows(textOf('docs/errors.md')).map(([code, type]) => [
      ...codeIn(code),
      ...codeIn(type),
    ]);
    const codeOf = (name: string): string =>
      name
        .replace(/Error$/, '')
        .replaceAll(/(?<!^)([A-Z])/g, '_$1')
        .toUpperCase();
    const errors = Object.entries(library)
      .filter(
        ([, value]) =>
          typeof value === 'function' && value.prototype instanceof library.CloacinaError,
      )
      .map(([name]) => [codeOf(name), name]);
    expect(errors.length).toBeGreaterThan(15);
    expect(rows.sort()).toEqual(errors.sort());
  });
});

describe('docs/tables.md', () => {
  it('has each table of a schema', async () => {
    const { schema } = await openTenant([], { claiming: false });
    const tables = await queryIn<{ name: string }>(
      schema,
      'SELECT table_name AS name FROM information_schema.tables WHERE table_schema = current_schema()',
    );
    const documented = firstNames(tableRows(textOf('docs/tables.md'))).filter((name) =>
      name.startsWith('cloacina_'),
    );
    expect(documented.sort()).toEqual(tables.map(({ name }) => name).sort());
  });
});

describe('docs/workflows.md', () => {
  it('has each trigger rule', () => {
    const documented = firstNames(tableRows(section('docs/workflows.md', '## Trigger rules')));
    const functions = documented.map((rule) => rule.replace(/\(.*/, ''));
    expect(functions.sort()).toEqual(
      [
        'all',
        'always',
        'any',
        'contextValue',
        'none',
        'notFailed',
        'taskFailed',
        'taskSkipped',
        'taskSucceeded',
      ].sort(),
    );
    for (const name of functions) expect(library).toHaveProperty(name);
  });
});

describe('README.md', () => {
  it('has the promise in the words of ARCHITECTURE.md', () => {
    const flat = (text: string): string => text.replaceAll(/\s+/g, ' ').replaceAll('`', '');
    const [, promise = ''] =
      /The promise, in these words: (a handler runs[^]*?commit exactly once with that outcome\.)/.exec(
        flat(textOf('ARCHITECTURE.md')),
      ) ?? [];
    expect(promise).not.toBe('');
    expect(flat(textOf('README.md')).toLowerCase()).toContain(promise.toLowerCase());
  });
});
