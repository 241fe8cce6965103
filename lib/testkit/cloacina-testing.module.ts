import { createHash } from 'node:crypto';
import { Inject, Module, type DynamicModule, type FactoryProvider } from '@nestjs/common';
import { PLATFORM } from '../boot/registration.js';
import { CloacinaModule } from '../cloacina.module.js';
import { getRunnerToken } from '../cloacina.tokens.js';
import type { CloacinaTenantOptions } from '../cloacina.options.js';
import type { CloacinaRunner } from '../runner/cloacina-runner.js';
import { throwawaySchema } from './postgres-storage.js';
import { TestHarness } from './test-harness.js';
import {
  partTestingOptions,
  type TestingOptions,
  type TestingSharedOptions,
  type TestingTenantOptions,
} from './testing-options.js';
import { TestingTenant } from './testing-tenant.js';

const DEFAULT_TENANT = 'testing';
/** Options need a server. In memory nothing connects to it. */
const NO_SERVER = 'postgres://memory.invalid/memory';

/**
 * The token of a tenant of a test, for `module.get()`.
 *
 * @param tenant - the tenant's name. Default: the only tenant of the test
 */
export function getTestingTenantToken(tenant?: string): string | typeof TestingTenant {
  return tenant === undefined ? TestingTenant : `TestingTenant:${tenant}`;
}

/** Injects a tenant of a test. */
export function InjectTestingTenant(tenant?: string): ParameterDecorator & PropertyDecorator {
  return Inject(getTestingTenantToken(tenant));
}

/**
 * The library for tests, in place of `CloacinaModule`: the whole engine with a storage of its own, and a clock that the test
 * moves. Several test files can run in parallel.
 *
 * @example
 * ```ts
 * const module = await Test.createTestingModule({
 *   imports: [CloacinaTestingModule.forTenant()],
 *   providers: [OrderFulfilment],
 * }).compile();
 * await module.init();
 * const tenant = module.get(TestingTenant);
 * ```
 */
@Module({})
export class CloacinaTestingModule {
  /**
   * Serves one tenant, whose parts are injected by class too, as in an application with one tenant.
   *
   * @throws ConfigurationError for invalid options of the test kit; those of the module are reported at boot
   */
  static forTenant(options: TestingOptions = {}): DynamicModule {
    const { tenant = DEFAULT_TENANT, ...shared } = options;
    return testingModule('CloacinaTestingModule.forTenant()', shared, [{ tenant }]);
  }

  /** @internal `forTenant()` that tells of the harness, which nothing closes when the boot fails. */
  static forOwnTenant(
    options: TestingOptions,
    onHarness: (harness: TestHarness) => void,
  ): DynamicModule {
    const { tenant = DEFAULT_TENANT, ...shared } = options;
    return testingModule('createTestingTenant()', shared, [{ tenant }], onHarness);
  }

  /**
   * Serves several tenants in one process.
   *
   * @param tenants - names of tenants, or their options
   * @param shared - options of all of them
   * @throws ConfigurationError as {@link forTenant}
   */
  static forTenants(
    tenants: readonly (string | (TestingTenantOptions & { tenant: string }))[],
    shared: TestingSharedOptions = {},
  ): DynamicModule {
    const each = tenants.map((tenant) => (typeof tenant === 'string' ? { tenant } : tenant));
    return testingModule('CloacinaTestingModule.forTenants()', shared, each);
  }
}

function testingModule(
  caller: string,
  options: TestingSharedOptions,
  tenants: readonly (TestingTenantOptions & { tenant: string })[],
  onHarness: (harness: TestHarness) => void = () => undefined,
): DynamicModule {
  const { testing, rest } = partTestingOptions(caller, options);
  const isMemory = testing.store === 'memory';
  const server: CloacinaTenantOptions = isMemory ? { databaseUrl: NO_SERVER } : {};
  const providers = tenants.map(({ tenant }) => tenantProvider(tenant));
  const [only] = tenants;
  if (only !== undefined && tenants.length === 1) {
    providers.push({
      provide: TestingTenant,
      useFactory: (tenant: TestingTenant) => tenant,
      inject: [getTestingTenantToken(only.tenant)],
    });
  }
  const createHarness = (): TestHarness => {
    const harness = new TestHarness(testing);
    onHarness(harness);
    return harness;
  };
  return {
    module: CloacinaTestingModule,
    global: true,
    imports: [
      // Tests expect failures, and the matchers tell what happened.
      CloacinaModule.forRoot({ logFailures: false, ...rest, ...server }),
      ...tenants.map((tenant) =>
        CloacinaModule.forTenant({
          ...tenant,
          ...server,
          schema: isMemory ? memorySchema(tenant.tenant) : throwawaySchema(),
        }),
      ),
    ],
    // Each application has a harness of its own, also those that import this very module.
    providers: [{ provide: PLATFORM, useFactory: createHarness }, ...providers],
    exports: [PLATFORM, ...providers.map(({ provide }) => provide)],
  };
}

/** Any text may be a tenant's name, and not all are names of schemas. */
function memorySchema(tenant: string): string {
  const hash = createHash('sha256').update(tenant).digest('hex');
  return `memory_${hash}`.slice(0, 63);
}

function tenantProvider(tenant: string): FactoryProvider {
  return {
    provide: getTestingTenantToken(tenant),
    useFactory: (harness: TestHarness, runner: CloacinaRunner) =>
      new TestingTenant(harness, runner),
    inject: [PLATFORM, getRunnerToken(tenant)],
  };
}
