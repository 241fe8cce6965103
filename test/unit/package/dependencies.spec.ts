import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, it } from '@jest/globals';

const checkout = path.resolve(import.meta.dirname, '../../..');
const manifest = JSON.parse(readFileSync(path.join(checkout, 'package.json'), 'utf8')) as {
  dependencies: Record<string, string>;
};
const dependencies = Object.keys(manifest.dependencies);

/** Node by itself: jest has a module system of its own. */
function load(...args: string[]): string {
  return execFileSync(process.execPath, args, { cwd: checkout, encoding: 'utf8' }).trim();
}

// Test runners, bundlers and loaders of CommonJS applications can't require ES modules where Node itself can.
it('every dependency loads in CommonJS', () => {
  const requires = dependencies.map((name) => `require(${JSON.stringify(name)});`).join('');
  expect(load('--no-experimental-require-module', '--eval', `${requires} console.log('ok')`)).toBe(
    'ok',
  );
});

it('every dependency loads as an ES module', () => {
  const imports = dependencies.map((name) => `await import(${JSON.stringify(name)});`).join('');
  expect(load('--input-type=module', '--eval', `${imports} console.log('ok')`)).toBe('ok');
});
