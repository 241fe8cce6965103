import { wholeRun, withServer } from './jest.config.js';

// See `test/support/sizes.ts`.
process.env['CLOACINA_TEST_SIZES'] = 'full';

/** Tests that `npm test` runs in a smaller size, or with a part of their cases. */
const FULL_SIZE = [
  'integration/admin/create-tenant',
  'integration/admin/names',
  'integration/fleet/migrate-all',
  'integration/migrations/concurrent-boots',
  'integration/recovery/clocks',
  'integration/recovery/conflicts',
  'integration/recovery/killed-pollers',
  'integration/recovery/many-orphans',
  'integration/recovery/pool-exhausted',
  'integration/recovery/zombies',
  'integration/runner/held-keys',
  'integration/runner/large-graphs',
  'integration/runner/limits',
  'integration/runner/lost-connections',
  'integration/runner/raced-schedules',
  'integration/runner/random-controls',
  'integration/store/lock-order',
  'integration/store/plans',
  'integration/tenants/many',
  'integration/testkit/same-results',
  'sample/starting',
  'unit/engine/raced-schedules',
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
    ...FULL_SIZE.map((name) => `<rootDir>/test/${name}.spec.ts`),
  ],
  maxWorkers: 1,
};
