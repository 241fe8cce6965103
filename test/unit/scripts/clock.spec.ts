import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from '@jest/globals';

const lib = path.resolve(import.meta.dirname, '../../../lib');
const CLOCK = 'runtime/clock.ts';
const FORBIDDEN =
  /\bDate\.now\(|\bnew Date\(\)|\bperformance\.now\(|\bset(Timeout|Interval|Immediate)\(|\bMath\.random\(|'node:timers/;

/** Folders, and in them files, that don't have their time from a clock yet: this list only gets shorter. */
const EXCEPTIONS = [
  'boot/',
  'engine/',
  'recovery/',
  'runner/',
  'runtime/availability-retry.ts',
  'runtime/batcher.ts',
  'runtime/long-timer.ts',
  'runtime/merged-calls.ts',
  'runtime/micro-batcher.ts',
  'runtime/reconnect-delay.ts',
  'runtime/retry-on-conflict.ts',
  'store/postgres/',
  'tenants/',
  'testing/memory-store/',
];

const callers = readdirSync(lib, { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts') && file !== CLOCK)
  .filter((file) => FORBIDDEN.test(codeOf(file)));

function codeOf(file: string): string {
  return readFileSync(path.join(lib, file), 'utf8').replaceAll(/^\s*(\/?\*|\/\/).*$/gm, '');
}

test('time, timers and chance come from the clock', () => {
  const isException = (file: string): boolean =>
    EXCEPTIONS.some((exception) => file.startsWith(exception));
  expect(callers.filter((file) => !isException(file))).toEqual([]);
});

test.each(EXCEPTIONS)('the exception %s is still one', (exception) => {
  expect(callers.some((file) => file.startsWith(exception))).toBe(true);
});
