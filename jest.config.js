/** What all tests have in common. */
const common = {
  rootDir: import.meta.dirname,
  testEnvironment: '<rootDir>/test/support/environment.mjs',
  extensionsToTreatAsEsm: ['.ts'],
  transform: { '^.+\\.ts$': '@swc/jest' },
  resolver: '<rootDir>/test/support/bundle-resolver.cjs',
  moduleNameMapper: {
    '^nestjs-cloacina$': '<rootDir>/lib/index.ts',
    '^nestjs-cloacina/(\\w+)$': '<rootDir>/lib/$1.ts',
  },
  modulePathIgnorePatterns: ['<rootDir>/dist', '<rootDir>/.cloacina', '<rootDir>/test/package/'],
};

/** It loads packages that bring the Nest that is installed, and there must be one Nest. */
const BESIDE_OTHER_MODULES = 'test/integration/module/explorers.spec.ts';

/** Tests of one folder that have a server, and what else `global-setup.mjs` prepares. */
export const withServer = {
  ...common,
  testEnvironmentOptions: { database: true },
  globalSetup: '<rootDir>/test/support/global-setup.mjs',
  globalTeardown: '<rootDir>/test/support/global-teardown.mjs',
};

export const wholeRun = {
  rootDir: import.meta.dirname,
  reporters: ['default', '<rootDir>/test/support/summary-reporter.mjs'],
  // One more than the two processors that CI has: tests of recovery wait for the database more than they compute.
  maxWorkers: 3,
  testSequencer: '<rootDir>/test/support/sequencer.cjs',
  // What a stall is given up after. No test asserts it, and none should need it on a machine however busy.
  testTimeout: 120_000,
};

/** Tests without a server: `jest.unit.config.js` runs them alone. */
export const unit = { ...common, testMatch: ['<rootDir>/test/unit/**/*.spec.ts'] };

/**
 * The suite that `npm test` runs. Unit tests are a project of their own, so that no server is started where only they
 * are chosen. `jest.faults.config.js` has the fault tests.
 */
export default {
  ...wholeRun,
  projects: [
    unit,
    {
      ...withServer,
      testMatch: ['<rootDir>/test/{integration,docs,sample}/**/*.spec.ts'],
      testPathIgnorePatterns: [BESIDE_OTHER_MODULES],
    },
    {
      ...withServer,
      testMatch: [`<rootDir>/${BESIDE_OTHER_MODULES}`],
      resolver: '<rootDir>/test/support/typescript-resolver.cjs',
    },
  ],
  coverageProvider: 'v8',
  collectCoverageFrom: ['lib/**/*.ts', '!lib/**/index.ts'],
  coverageDirectory: 'coverage',
  coverageThreshold: { './lib/workflow/': { branches: 100 } },
};
