import {
  Module,
  type INestApplicationContext,
  type LoggerService,
  type LogLevel,
  type ModuleMetadata,
  type Provider,
  type Type,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { PLATFORM } from '../boot/registration.js';
import { BuiltWorkflow, type WorkflowDefinition } from '../discovery/workflow-builder.js';
import { workflowNameOf } from '../discovery/workflow-ref.js';
import { CloacinaRunner } from '../runner/cloacina-runner.js';
import { CloacinaTestingModule } from './cloacina-testing.module.js';
import type { TestHarness } from './test-harness.js';
import { TestingTenant } from './testing-tenant.js';
import type { TestingOptions } from './testing-options.js';

/** Options of {@link createTestingTenant}: those of `CloacinaTestingModule.forTenant()`, and the parts of the application. */
export interface CreateTestingTenantOptions
  extends Omit<TestingOptions, 'workflows'>, Pick<ModuleMetadata, 'imports' | 'providers'> {
  /** The workflows of the test: classes with `@Workflow`, and results of `defineWorkflow()`. Default: those of `imports`. */
  workflows?: (Type<unknown> | WorkflowDefinition)[];
  /**
   * The logger of the application, as `NestFactory` takes it: levels, a logger, or false for no log. `['log', 'warn', 'error']`
   * shows what the library does, such as each recovery. Default: errors only, as in Nest's testing module; with `logFailures`,
   * warnings too.
   */
  logger?: LoggerService | LogLevel[] | false;
}

/** What a test sees of the log. Recoveries and retries, which tests cause on purpose, are warnings. */
const QUIET: LogLevel[] = ['fatal', 'error'];

/** A testing tenant with an application of its own. */
export class OwnTestingTenant extends TestingTenant {
  /** @internal Made by {@link createTestingTenant}. */
  constructor(
    harness: TestHarness,
    runner: CloacinaRunner,
    private readonly application: INestApplicationContext,
  ) {
    super(harness, runner);
  }

  /** Returns a provider of the application. */
  get<T>(token: Type<T> | string | symbol): T {
    return this.application.get<T>(token, { strict: false });
  }

  /** Closes the application. Nothing stays open. */
  async close(): Promise<void> {
    await this.application.close();
  }
}

/** The root module of such applications. */
@Module({})
class TestingApplication {}

/**
 * Boots an application with one tenant for a test, without Nest's testing package. Close the tenant at the end.
 *
 * @throws ConfigurationError with all problems of the options and the workflows
 * @example
 * ```ts
 * const tenant = await createTestingTenant({ workflows: [OrderFulfilment], providers: [PaymentService] });
 * const order = await tenant.run(OrderFulfilment, { orderId: 17 });
 * expect(order).toHaveCompleted();
 * await tenant.close();
 * ```
 */
export async function createTestingTenant(
  options: CreateTestingTenantOptions = {},
): Promise<OwnTestingTenant> {
  const { workflows = [], imports = [], providers = [], logger, ...rest } = options;
  const levels: LogLevel[] = rest.logFailures === true ? [...QUIET, 'warn'] : QUIET;
  let made: TestHarness | undefined;
  const application = await NestFactory.createApplicationContext(
    {
      module: TestingApplication,
      imports: [
        CloacinaTestingModule.forOwnTenant(rest, (harness) => (made = harness)),
        ...imports,
      ],
      providers: [...workflows.map(providerOf), ...providers],
    },
    { logger: logger ?? levels, abortOnError: false },
  ).catch(async (error: unknown) => {
    // Nest calls no hook when a boot fails, and the schemas of the test would stay.
    await made?.end().catch(() => undefined);
    throw error;
  });
  return new OwnTestingTenant(
    application.get<TestHarness>(PLATFORM, { strict: false }),
    application.get(CloacinaRunner, { strict: false }),
    application,
  );
}

function providerOf(workflow: Type<unknown> | WorkflowDefinition): Provider {
  return workflow instanceof BuiltWorkflow
    ? { provide: `workflow ${workflowNameOf(workflow)}`, useValue: workflow }
    : (workflow as Type<unknown>);
}
