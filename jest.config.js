/** The suite that `npm test` runs; `jest.faults.config.js` narrows it to the fault tests. */
export default {
  rootDir: import.meta.dirname,
  testMatch: ['<rootDir>/test/{unit,integration,docs,sample}/**/*.spec.ts'],
  testEnvironment: '<rootDir>/test/support/environment.mjs',
  extensionsToTreatAsEsm: ['.ts'],
  transform: { '^.+\\.ts$': '@swc/jest' },
  resolver: '<rootDir>/test/support/typescript-resolver.cjs',
  moduleNameMapper: { '^nestjs-cloacina$': '<rootDir>/lib/index.ts' },
  modulePathIgnorePatterns: ['<rootDir>/dist', '<rootDir>/test/package/'],
  reporters: ['default', '<rootDir>/test/support/summary-reporter.mjs'],
  maxWorkers: 2,
  testTimeout: 30_000,
  coverageProvider: 'v8',
  collectCoverageFrom: ['lib/**/*.ts', '!lib/**/index.ts'],
  coverageDirectory: 'coverage',
  coverageThreshold: { './lib/workflow/': { branches: 100 } },
};
