import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from '@jest/globals';

const checkout = path.resolve(import.meta.dirname, '../../..');
const textOf = (file: string): string => readFileSync(path.join(checkout, file), 'utf8');
const manifest = JSON.parse(textOf('package.json')) as {
  scripts: Record<string, string>;
  engines: { node: string };
};
const filesOf = (folder: string): string[] =>
  readdirSync(path.join(checkout, folder)).map((name) => `${folder}/${name}`);
const found = (text: string, pattern: RegExp): string[] =>
  [...text.matchAll(pattern)].map(([, first]) => first ?? '');

describe.each(['CONTRIBUTING.md', '.github/pull_request_template.md'])('%s', (file) => {
  const text = textOf(file);

  it('names npm scripts that exist', () => {
    const scripts = found(text, /npm run ([a-z:]+)/g);
    expect(scripts).not.toEqual([]);
    expect(scripts.filter((name) => !(name in manifest.scripts))).toEqual([]);
  });

  it('names files and folders that exist', () => {
    const paths = found(text, /(?<![\w./-])((?:\.ci|\.cspell|docs|etc|lib|test)\/[\w./-]*\w\/?)/g);
    const examples = ['docs/NAME.md'];
    const missing = paths.filter((name) => !existsSync(path.join(checkout, name)));
    expect(paths).not.toEqual([]);
    expect(missing.filter((name) => !examples.includes(name))).toEqual([]);
  });
});

it('CONTRIBUTING.md explains each step of the check', () => {
  const steps = found(textOf('scripts/check.mjs'), /^ {2}(\w+): (?:\(\) =>|check\w+,)/gm);
  const explained = found(textOf('CONTRIBUTING.md'), /^\| `(\w+)` +\|/gm);
  expect(steps.length).toBeGreaterThan(5);
  expect(explained).toEqual(steps);
});

describe.each(filesOf('.github/workflows'))('%s', (file) => {
  const text = textOf(file);

  it('may only read the repository', () => {
    expect(text).toMatch(/^permissions:\n {2}contents: read\n\n/m);
    expect(text).not.toMatch(/: write/);
  });

  it('pins each action to a version', () => {
    const actions = found(text, /uses: (\S+)/g);
    expect(actions.filter((action) => !/@v\d+\.\d+\.\d+$/.test(action))).toEqual([]);
  });
});

it('CI runs each line of Node.js that the package supports', () => {
  const tested = found(textOf('.github/workflows/ci.yml'), /node: \[([^\]]+)\]/g);
  const supported = found(manifest.engines.node, /(\d+)\.\d+/g);
  expect(tested).toEqual([supported.join(', ')]);
});

it('npm run test:unit starts no server', async () => {
  const file = /--config (\S+)/.exec(manifest.scripts['test:unit'] ?? '')?.[1] ?? '';
  const { default: config } = (await import(path.join(checkout, file))) as {
    default: Record<string, unknown>;
  };
  expect(config).toMatchObject({ testMatch: ['<rootDir>/test/unit/**/*.spec.ts'] });
  expect(config).not.toHaveProperty('globalSetup');
});
