import { BROWSER, wholeRun, withServer } from './jest.config.js';

/** The page of the dashboard in Chromium, as a user sees it: too slow for `npm test`, and not every machine has a browser. */
export default {
  ...wholeRun,
  ...withServer,
  testMatch: [`<rootDir>/${BROWSER}`],
  maxWorkers: 1,
};
