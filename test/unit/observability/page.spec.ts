import { expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { ATTRIBUTE, METRIC } from '../../../lib/observability/names.js';

const page = readFileSync(
  path.resolve(import.meta.dirname, '../../../docs/observability.md'),
  'utf8',
);

it('The page has each name of a metric and of an attribute, and no others', () => {
  const named = [...page.matchAll(/`((?:cloacina|db\.client|messaging|error)\.[a-z_.]+)`/g)];
  const known = [...Object.values(METRIC), ...Object.values(ATTRIBUTE)];
  expect(new Set(named.map(([, name]) => name))).toEqual(new Set<string>(known));
});
