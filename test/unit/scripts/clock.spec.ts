import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from '@jest/globals';

const lib = path.resolve(import.meta.dirname, '../../../lib');
const CLOCK = 'runtime/clock.ts';
const FORBIDDEN =
  /\bDate\.now\(|\bnew Date\(\)|\bperformance\.now\(|\bset(Timeout|Interval|Immediate)\(|\bMath\.random\(|'node:timers/;

const POOL =
  "It is found by its pool of connections, from within TypeORM's driver, where no part hands on a clock.";
const SERVER =
  'A real server has real time to answer, or to let go of locks and sessions: by a clock that stands still it would be waited for without end, and by one that jumps it would be given up too early.';

/** Files, and folders with a slash at their end, that don't have their time from a clock, and why. */
const EXCEPTIONS: Readonly<Record<string, string>> = {
  'store/postgres/connections/connection-limit.ts': POOL,
  'store/postgres/connections/connection-wait-report.ts': POOL,
  'store/postgres/connections/search-path.ts': POOL,
  'store/postgres/typeorm/shared-pool-driver.ts': POOL,
  'store/postgres/connections/destroy-socket.ts': SERVER,
  'store/postgres/connections/pooler.ts': SERVER,
  'store/postgres/read-only.ts': 'How often the log says it, for all logins of the process.',
  'store/postgres/tenant-transaction.ts': SERVER,
  'tenants/admin/': SERVER,
  'tenants/moving/': SERVER,
  'doctor/run-doctor.ts': 'It compares the real clock of this machine with that of the server.',
  'cli/option-values.ts': 'A person gives a time span before the real time.',
  'tenants/migrations/': SERVER,
  'tenants/hosting/connection-group.ts':
    'The interval keeps the process alive: it is no matter of time.',
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
  // The doctor looks at a real database, whose processes may be any release: it takes the server's real time.
  const named = files.filter(
    (file) => file !== SQL_CLOCK && !file.startsWith('doctor/') && SQL_FORBIDDEN.test(codeOf(file)),
  );
  expect(named).toEqual([]);
});
