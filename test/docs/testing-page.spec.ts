import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, it } from '@jest/globals';
import { checkout, codeBlocks } from './markdown.js';

/** Examples of the page that are files of this folder, which are run as tests. */
const tests = readdirSync(path.join(checkout, 'test/docs'))
  .filter((name) => /^testing-.*\.spec\.ts$/.test(name) && name !== 'testing-page.spec.ts')
  .map((name) => [name, readFileSync(path.join(checkout, 'test/docs', name), 'utf8')] as const);

it.each(tests)('docs/testing.md shows %s as it is', (_name, text) => {
  const shown = codeBlocks('docs/testing.md').map(({ code }) => code.trim());
  expect(shown).toContain(text.trim());
});

it('every example with the test kit is one of these files, or sets up a test runner', () => {
  const texts = tests.map(([, text]) => text.trim());
  const others = codeBlocks('docs/testing.md')
    .map(({ code }) => code.trim())
    .filter((code) => code.includes('nestjs-cloacina/testing') && !texts.includes(code));
  expect(others).toEqual([expect.stringContaining("from 'vitest'")]);
});
