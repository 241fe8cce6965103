import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from '@jest/globals';

const lib = path.resolve(import.meta.dirname, '../../../lib');
const CLOCK = 'runtime/clock.ts';
const FORBIDDEN =
  /\bDate\.now\(|\bnew Date\(\)|\bperformance\.now\(|\bset(Timeout|Interval|Immediate)\(|\bMath\.random\(|'node:timers/;

/** Files, and folders with a slash at their end, that don't have their time from a clock, and why. */
const EXCEPTIONS: Readonly<Record<string, string>> = {
  'store/postgres/': 'not yet',
  'tenants/admin/':
    'A call waits for a real server to let go of locks and sessions: a clock that stands still would have it wait for ever.',
  'tenants/migrations/': 'The same of a migration.',
  'tenants/hosting/connection-group.ts':
    'The interval keeps the process alive; it is no matter of time.',
};

const SQL_CLOCK = 'store/postgres/statements/sql-clock.ts';
/** The server's clock, by any of its names. JavaScript's `now()` belongs to a clock, so there is a dot before it. */
const SQL_FORBIDDEN =
  /\b(clock|statement|transaction)_timestamp\(|\b(current_timestamp|localtimestamp|current_date)\b|(?<![.\w])now\(\)(?!: )/i;

const files = readdirSync(lib, { recursive: true, encoding: 'utf8' }).filter((file) =>
  file.endsWith('.ts'),
);
const callers = files.filter((file) => file !== CLOCK && FORBIDDEN.test(codeOf(file)));

function codeOf(file: string): string {
  return readFileSync(path.join(lib, file), 'utf8').replaceAll(/^\s*(\/?\*|\/\/).*$/gm, '');
}

test('time, timers and chance come from the clock', () => {
  const isException = (file: string): boolean =>
    Object.keys(EXCEPTIONS).some((exception) => file.startsWith(exception));
  expect(callers.filter((file) => !isException(file))).toEqual([]);
});

test.each(Object.keys(EXCEPTIONS))('the exception %s is still one', (exception) => {
  expect(callers.some((file) => file.startsWith(exception))).toBe(true);
});

test('SQL has its time from the one constant', () => {
  const named = files.filter((file) => file !== SQL_CLOCK && SQL_FORBIDDEN.test(codeOf(file)));
  expect(named).toEqual([]);
});
