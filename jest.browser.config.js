import { wholeRun, withServer } from './jest.config.js';

/** The page of the dashboard in Chromium, as a user sees it: apart from `npm test`, because not every machine has a browser. */
export default {
  ...wholeRun,
  ...withServer,
  testMatch: ['<rootDir>/test/browser/**/*.spec.ts'],
  globalSetup: '<rootDir>/test/browser/global-setup.mjs',
  maxWorkers: 2,
};
