/**
 * The test kit: the whole engine in memory or on a throwaway schema, with a clock that the test moves.
 *
 * @packageDocumentation
 */
export {
  CloacinaTestingModule,
  getTestingTenantToken,
  InjectTestingTenant,
} from './testkit/cloacina-testing.module.js';
export {
  createTestingTenant,
  OwnTestingTenant,
  type CreateTestingTenantOptions,
} from './testkit/create-testing-tenant.js';
export type { CrashMoment } from './testkit/crash-switch.js';
export { cloacinaMatchers, type MatcherResult } from './testkit/matchers.js';
export type { CloacinaMatchers, ExpectedError } from './testkit/matcher-types.js';
export { ExecutionStuckError } from './testkit/stuck-error.js';
export {
  TestingTenant,
  type CrashPoint,
  type MockedTask,
  type RunTaskOptions,
} from './testkit/testing-tenant.js';
export type {
  CloacinaTestingOptions,
  TestingOptions,
  TestingSharedOptions,
  TestingTenantOptions,
  UnusedTenantOption,
} from './testkit/testing-options.js';
export {
  TestingTime,
  type AdvanceUntilOptions,
  type ExecutionRef,
} from './testkit/testing-time.js';
