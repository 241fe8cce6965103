import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { wholeRun, withServer } from './jest.config.js';

// See `test/support/sizes.ts`.
process.env['CLOACINA_TEST_SIZES'] = 'full';

/** Tests that `npm test` runs in a smaller size, or with a part of their cases: those that ask `test/support/sizes.ts`. */
const tests = path.join(import.meta.dirname, 'test');
const SIZED = readdirSync(tests, { recursive: true }).filter(
  (file) =>
    file.endsWith('.spec.ts') &&
    readFileSync(path.join(tests, file), 'utf8').includes("/support/sizes.js'"),
);

/**
 * Child processes that are killed, servers that are restarted: slow, and one at a time, because each of them
 * judges how long the others take to notice.
 */
export default {
  ...wholeRun,
  ...withServer,
  testMatch: [
    '<rootDir>/test/faults/**/*.spec.ts',
    ...SIZED.map((file) => `<rootDir>/test/${file.replaceAll(path.sep, '/')}`),
  ],
  maxWorkers: 1,
};
