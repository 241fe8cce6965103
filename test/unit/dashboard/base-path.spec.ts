import { expect, it } from '@jest/globals';
import { basePathOf } from '../../../lib/dashboard/base-path.js';

const at = (url: string, depth: number, prefix?: string): string =>
  basePathOf(
    {
      url: '/',
      originalUrl: url,
      headers: prefix === undefined ? {} : { 'x-forwarded-prefix': prefix },
    },
    depth,
  );

it.each([
  ['/cloacina', 0, '/cloacina/'],
  ['/cloacina/?a=/b/', 0, '/cloacina/'],
  ['/api/v1/cloacina/executions/17', 2, '/api/v1/cloacina/'],
  ['/a%20b/cloacina/x', 1, '/a%20b/cloacina/'],
])('the page at %s with %d segments of its own begins at %s', (url, depth, base) => {
  expect(at(url, depth)).toBe(base);
});

it('a path that a proxy takes away comes back', () => {
  expect(at('/cloacina/x', 1, '/ops/')).toBe('/ops/cloacina/');
  expect(at('/cloacina', 0, '/a/b, /c')).toBe('/a/b/cloacina/');
});

it.each(['//evil.example', 'https://evil.example', '/a"><script>', "/'", '/a b', ''])(
  'a prefix that is not a path is left out: %s',
  (prefix) => {
    expect(at('/cloacina', 0, prefix)).toBe('/cloacina/');
  },
);

it('an encoded slash or question mark stays part of its segment', () => {
  expect(at('/cloacina', 0, '/%2Fevil.example')).toBe('/%2Fevil.example/cloacina/');
  expect(at('/%2fevil.example/cloacina/x', 1)).toBe('/%2Fevil.example/cloacina/');
  expect(at('/a%3Fb/cloacina', 0)).toBe('/a%3Fb/cloacina/');
});

it('nothing in a path ends the attribute', () => {
  expect(at('/%22%3E%3Cscript%3E/cloacina', 0)).toBe('/%22%3E%3Cscript%3E/cloacina/');
  expect(at('//evil.example/cloacina', 0)).toBe('/evil.example/cloacina/');
});
