import { wholeRun, withServer } from './jest.config.js';

// See `test/support/sizes.ts`.
process.env['CLOACINA_TEST_SIZES'] = 'full';

/** Tests that `npm test` runs in a smaller size, or with a part of their cases. */
const FULL_SIZE = [
  'migrations/concurrent-boots',
  'recovery/conflicts',
  'recovery/many-orphans',
  'runner/large-graphs',
  'runner/lost-connections',
];

/**
 * Child processes that are killed, servers that are restarted: slow, and one at a time, because each of them
 * judges how long the others take to notice.
 */
export default {
  ...wholeRun,
  ...withServer,
  testMatch: [
    '<rootDir>/test/faults/**/*.spec.ts',
    ...FULL_SIZE.map((name) => `<rootDir>/test/integration/${name}.spec.ts`),
  ],
  maxWorkers: 1,
};
