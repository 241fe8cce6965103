import { wholeRun, withServer } from './jest.config.js';

/**
 * Child processes that are killed, servers that are restarted: slow, and one at a time, because each of them
 * judges how long the others take to notice.
 */
export default {
  ...wholeRun,
  ...withServer,
  testMatch: ['<rootDir>/test/faults/**/*.spec.ts'],
  maxWorkers: 1,
};
