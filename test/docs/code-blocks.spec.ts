import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { DatabaseConnectionError } from '../../lib/errors/index.js';
import { DEFAULT_SHUTDOWN_TIMEOUT_MS } from '../../lib/options/defaults.js';
import { textOf } from '../../lib/runner/explain/reason-text.js';
import { summaryOf } from '../../lib/runner/explain/summary.js';
import { openTenant, queryIn } from '../support/open-tenant.js';
import { programOf } from './cli-help.js';
import { checkout, codeBlocks, pages, type CodeBlock } from './markdown.js';

interface Manifest {
  scripts: Record<string, string>;
  dependencies: Record<string, string>;
  peerDependencies: Record<string, string>;
  peerDependenciesMeta: Record<string, { optional?: boolean }>;
}

const manifest = JSON.parse(readFileSync(path.join(checkout, 'package.json'), 'utf8')) as Manifest;
const blocks = pages().flatMap((file) => codeBlocks(file));
const of = (language: string): CodeBlock[] => blocks.filter((block) => block.language === language);
const named = (list: CodeBlock[]): [string, CodeBlock][] =>
  list.map((block) => [`${block.file}:${block.line}`, block]);

it('is all of languages that are tested here, or output that is compared', () => {
  const tested = ['ts', 'sh', 'sql', 'text', 'dockerfile', 'yaml', 'json'];
  expect(blocks.filter(({ language }) => !tested.includes(language))).toEqual([]);
});

it('shows output as the library prints it', () => {
  const refused = new DatabaseConnectionError(
    {
      tenant: 'acme',
      place: { host: 'db.internal', port: 5432, database: 'shop' },
      obstacle: 'login',
    },
    { cause: new Error('password authentication failed for user "app"') },
  );
  // The output of the README is compared by first-example.spec.ts, and help of commands by cli.spec.ts.
  const [first, ...others] = of('text')
    .filter(({ file }) => file !== 'docs/cli.md')
    .map(({ file, code }) => [file, code.replaceAll('\n', ' ')]);
  expect(first).toEqual(['README.md', expect.any(String)]);
  expect(others).toEqual([
    ['docs/explain.md', explained()],
    ['docs/module.md', refused.message],
  ]);
});

/** The summary of an execution with a task that waits for its limit, and another one behind it. */
function explained(): string {
  const holders = ['a', 'b', 'c', 'd'].map((id) => ({ executionId: `0197${id}`, task: 'charge' }));
  const reason = {
    kind: 'limit',
    scope: 'key',
    limit: { name: 'stripe', key: 'acct_17' },
    inUse: 4,
    concurrency: 4,
    holders,
    waiting: 3,
  } as const;
  const task = {
    task: 'charge',
    status: 'Ready',
    attempt: 0,
    reason,
    text: textOf(reason),
  } as const;
  return summaryOf('Running', [task], 2, { reason: null, actor: undefined, startBefore: null });
}

it.each(of('json').map(({ file, line, code }) => [`${file}:${line}`, code]))(
  '%s is JSON',
  (_place, code) => {
    expect(JSON.parse(code ?? '')).toBeInstanceOf(Object);
  },
);

describe('shell commands', () => {
  const commands = of('sh').flatMap(({ code }) =>
    code
      .split('\n')
      .map((line) => line.replace(/#.*$/, '').trim())
      .filter((line) => line !== ''),
  );

  /** The packages that blocks of the pages import. */
  const imports = [
    ...new Set(
      of('ts').flatMap(({ code }) =>
        [...code.matchAll(/ from '([^.'][^']*)'/g)].map(([, name = '']) => name),
      ),
    ),
  ];

  it('install what the recipe of OpenTelemetry imports', () => {
    const needed = imports.filter((name) => name.startsWith('@opentelemetry/'));
    expect(needed).not.toEqual([]);
    const installed = commands.flatMap((command) => command.split(/\s+/));
    expect(needed.filter((name) => !installed.includes(name))).toEqual([]);
  });

  it.each(commands)('%s', async (command) => {
    if (command.startsWith('npx ')) return expectCommand(command);
    const [npm, action = '', ...words] = command.split(/\s+/);
    expect(npm).toBe('npm');
    if (action === 'install' && !words.includes('nestjs-cloacina')) {
      expect(imports.filter((name) => words.includes(name)).sort()).toEqual(words.sort());
    } else if (action === 'install') {
      // What a Nest application has already is not in the command.
      const had = ['@nestjs/common', '@nestjs/core', 'reflect-metadata', 'rxjs'];
      const { peerDependencies, peerDependenciesMeta } = manifest;
      const peers = Object.keys(peerDependencies).filter(
        (name) => !had.includes(name) && peerDependenciesMeta[name]?.optional !== true,
      );
      expect(words.sort()).toEqual(['nestjs-cloacina', ...peers].sort());
    } else {
      const script = manifest.scripts[action === 'run' ? (words[0] ?? '') : action];
      expect(script).toMatch(/^node /);
      expect(existsSync(path.join(checkout, script?.split(' ')[1] ?? ''))).toBe(true);
    }
  });
});

/** A call of the command line, whose arguments and options exist. */
async function expectCommand(line: string): Promise<void> {
  const [npx, name, ...args] = [...line.matchAll(/'([^']*)'|(\S+)/g)].map(
    ([, quoted, plain]) => quoted ?? plain ?? '',
  );
  expect([npx, name]).toEqual(['npx', 'nestjs-cloacina']);
  const called: string[] = [];
  await programOf((command) => called.push(command)).parseAsync(args, { from: 'user' });
  expect(called).toEqual([expect.any(String)]);
}

describe('deployment', () => {
  it.each(named(of('dockerfile')))(
    '%s starts node itself, so that it gets SIGTERM',
    (_place, { code }) => {
      const instructions = code.split('\n').map((line) => line.split(' ')[0]);
      const known = ['FROM', 'WORKDIR', 'COPY', 'RUN', 'USER', 'CMD'];
      expect(instructions.filter((word = '') => !known.includes(word))).toEqual([]);
      expect(code).toMatch(/^CMD \["node", /m);
    },
  );

  it.each(named(of('yaml')))(
    '%s is a resource whose grace period is long enough',
    (_place, { code }) => {
      expect(code).toMatch(/^apiVersion: \S+\nkind: \S+\nmetadata:\n {2}name: /);
      const [, grace] = /terminationGracePeriodSeconds: (\d+)/.exec(code) ?? [];
      if (grace === undefined) return;
      expect(Number(grace) * 1_000).toBeGreaterThanOrEqual(DEFAULT_SHUTDOWN_TIMEOUT_MS + 10_000);
    },
  );
});

describe('SQL', () => {
  let schema = '';
  beforeAll(async () => {
    schema = (await openTenant([], { claiming: false })).schema;
  });

  it.each(named(of('sql')))('%s', async (_place, { code }) => {
    await expect(queryIn(schema, code)).resolves.not.toThrow();
  });
});
