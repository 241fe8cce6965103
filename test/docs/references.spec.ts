import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from '@jest/globals';
import * as main from 'nestjs-cloacina';
import * as dashboard from 'nestjs-cloacina/dashboard';
import * as otel from 'nestjs-cloacina/otel';
import * as terminus from 'nestjs-cloacina/terminus';
import * as testing from 'nestjs-cloacina/testing';
import * as defaults from '../../lib/options/defaults.js';
import { SHARED_CHECKS } from '../../lib/options/shared-options.js';
import { DEFAULT_RETRY_POLICY } from '../../lib/workflow/retry-policy.js';
import { queryIn, openTenant } from '../support/open-tenant.js';
import { anchors, checkout, links, pages, section, tableRows, textOf } from './markdown.js';

/** What the entries of the package export. */
const library = { ...main, ...dashboard, ...otel, ...terminus, ...testing };

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
    const inCode = [
      ...textOf(file).matchAll(/`((?:Cloacina|Inject|get)[A-Z]\w+|[A-Z]\w*Error)\b/g),
    ];
    const ours = inCode
      .map(([, name]) => name ?? '')
      .filter((name) => ![FOREIGN, LOG_CONTEXTS, STORED].some((known) => known.has(name)));
    expect(ours.filter((name) => !(name in library))).toEqual([]);
  });
});

/** Contexts of log lines that are not names of classes. */
const LOG_CONTEXTS = new Set<string>(['CloacinaDashboard', 'CloacinaTesting']);

/** Names of stored errors that are not thrown. */
const STORED = new Set<string>(['ArchiveReadError']);

/** Names of other packages that look like the library's. */
const FOREIGN = new Set<string>([
  'AggregateError',
  'getEvent',
  'InjectDataSource',
  'InjectRepository',
  'NonRetriableError',
  'TerminalError',
  'UnrecoverableError',
]);

describe('docs/module.md', () => {
  it('has each option, once', () => {
    const [shared, own] = optionTables();
    expect(shared?.sort()).toEqual(Object.keys(SHARED_CHECKS).sort());
    expect(own).toEqual(['tenant', 'schema', 'server']);
  });

  it('has the defaults that hold', () => {
    const rows = tableRows(section('docs/module.md', '## Options'));
    const defaultOf = (option: string): string =>
      rows.find(([name]) => name === `\`${option}\``)?.[1] ?? '';
    const inSeconds = (ms: number): string => `${ms / 1000} s`;
    expect(defaultOf('poolSize')).toBe(`${defaults.DEFAULT_POOL_SIZE} connections`);
    expect(defaultOf('maxConcurrentTasks')).toBe(
      `forRoot ${defaults.DEFAULT_PROCESS_CONCURRENCY}, forTenant ${defaults.DEFAULT_TENANT_CONCURRENCY} tasks`,
    );
    expect(defaultOf('maxRecoveryAttempts')).toBe(
      `${defaults.DEFAULT_MAX_RECOVERY_ATTEMPTS} times`,
    );
    expect(defaultOf('leaseDuration')).toBe(inSeconds(defaults.DEFAULT_LEASE_DURATION_MS));
    expect(defaultOf('shutdownTimeout')).toBe(inSeconds(defaults.DEFAULT_SHUTDOWN_TIMEOUT_MS));
    expect(defaultOf('startTimeout')).toBe(inSeconds(defaults.DEFAULT_START_TIMEOUT_MS));
    expect(defaultOf('handlerGrace')).toBe(inSeconds(defaults.DEFAULT_HANDLER_GRACE_MS));
    expect(defaultOf('maxContextSize')).toBe(
      `${defaults.DEFAULT_MAX_CONTEXT_SIZE.toLocaleString('en')} bytes (1 MiB)`,
    );
    expect(codeIn(defaultOf('schema'))).toEqual([defaults.DEFAULT_SCHEMA]);
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

describe('docs/installation.md', () => {
  it('has each entry of the package, and its program', () => {
    const { exports, bin } = JSON.parse(textOf('package.json')) as {
      exports: Record<string, unknown>;
      bin: Record<string, string>;
    };
    const entries = Object.keys(exports)
      .filter((name) => name !== './package.json')
      .map((name) => name.replace(/^\./, 'nestjs-cloacina'));
    const programs = Object.keys(bin).map((name) => `npx ${name}`);
    const documented = firstNames(tableRows(section('docs/installation.md', '## Entries')));
    expect(documented.sort()).toEqual([...entries, ...programs].sort());
  });
});

it.each([
  [
    'docs/executions.md',
    '## What happened: history',
    'lib/runner/history-entry.ts',
    /'((?:execution|task)\.\w+)'/g,
  ],
  [
    'docs/explain.md',
    '## The causes: reason.kind',
    'lib/runner/explain/explain-reason.ts',
    /\bkind: '(\w+)'/g,
  ],
  [
    'docs/executions.md',
    '### What an execution waits for: waitingFor',
    'lib/runner/execution.ts',
    /^ {4}\| '(\w+)'/gm,
  ],
])('%s, %s: has each value of the types', (page, heading, source, values) => {
  const rows = firstNames(tableRows(section(page, heading)));
  const declared = [...textOf(source).matchAll(values)].map(([, value]) => value ?? '');
  expect(declared.length).toBeGreaterThan(10);
  expect([...new Set(rows)].sort()).toEqual([...new Set(declared)].sort());
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

describe('docs/tasks.md', () => {
  it('has the defaults of a retry', () => {
    const rows = tableRows(section('docs/tasks.md', '## Retries'));
    const { maxAttempts, backoff, delayMs, maxDelayMs, jitter } = DEFAULT_RETRY_POLICY;
    expect(rows.map(([option, otherwise]) => [...codeIn(option), otherwise])).toEqual([
      ['maxAttempts', `${maxAttempts}`],
      ['backoff', `\`${backoff}\``],
      ['delay', `${delayMs / 1000} s`],
      ['maxDelay', `${maxDelayMs / 1000} s, or \`delay\``],
      ['jitter', `\`${jitter}\``],
      ['retryIf', 'always'],
    ]);
  });
});

describe('README.md', () => {
  /** What test/browser/readme.spec.ts makes. */
  it('begins with a picture of the dashboard, which loads at once', () => {
    const [beginning = ''] = textOf('README.md').split('\n## In 60 seconds');
    const [, file = ''] = /!\[[^\]]+\]\((docs\/images\/\S+\.png)\)/.exec(beginning) ?? [];
    const picture = readFileSync(path.join(checkout, file));
    expect(picture.subarray(1, 4).toString()).toBe('PNG');
    expect(picture.length).toBeLessThan(200_000);
  });

  it('leads to each page', () => {
    const linked = links('README.md');
    expect(pages().filter((page) => page !== 'README.md' && !linked.includes(page))).toEqual([
      'sample/multi-tenant/README.md',
    ]);
  });

  it('has the guarantee in the words of ARCHITECTURE.md', () => {
    const flat = (text: string): string =>
      text.replaceAll(/\s+/g, ' ').replaceAll('`', '').replaceAll('ctx.', 'context.');
    const [, promise = ''] =
      /The (?:promise, in these words|guarantee): (a handler runs[^]*?commit exactly once with that outcome\.)/i.exec(
        flat(textOf('ARCHITECTURE.md')),
      ) ?? [];
    expect(promise).not.toBe('');
    expect(flat(textOf('README.md')).toLowerCase()).toContain(promise.toLowerCase());
  });
});
