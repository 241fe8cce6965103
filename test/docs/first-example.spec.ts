import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { transform } from '@swc/core';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { startChild } from '../support/child-process.js';
import { scratchDatabase, rowsOf } from '../support/scratch-database.js';
import { checkout, codeBlocks, type CodeBlock } from './markdown.js';

/** The first TypeScript of the README is a whole main.ts, and the text after it what it prints. */
const blocks = codeBlocks('README.md');
const example = blocks.find(({ language }) => language === 'ts') as CodeBlock;
const output = blocks.find(({ language }) => language === 'text') as CodeBlock;

let folder = '';
beforeAll(() => {
  // Within the compiled package, so that its imports mean what they mean in an application.
  const place = process.env['CLOACINA_TEST_COMPILED'] ?? path.join(checkout, '.cloacina');
  folder = mkdtempSync(path.join(place, 'example-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it.each([
  { system: 'an ES module', type: 'es6', extension: 'mjs' },
  { system: 'CommonJS', type: 'commonjs', extension: 'cjs' },
] as const)('runs as it is printed as $system, and prints what the README says', async (row) => {
  const source = path.join(folder, 'main.ts');
  writeFileSync(source, example.code);
  // With the options of the project, which are found by the place of the source.
  const { code } = await transform(example.code, {
    filename: source,
    root: checkout,
    module: { type: row.type },
  });
  const file = path.join(folder, `main.${row.extension}`);
  writeFileSync(file, code);
  const database = await scratchDatabase();
  const child = startChild(file, { env: { DATABASE_URL: database } });
  expect(await child.exit).toEqual({ code: 0, signal: null });
  expect(child.output).toBe(`${output.code}\n`);
  const executions = await rowsOf(
    database,
    'SELECT workflow, status FROM tenant_acme.cloacina_workflow_execution',
  );
  expect(executions).toEqual([{ workflow: 'order-fulfilment', status: 'Completed' }]);
});
