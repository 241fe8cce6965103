import {
  Controller,
  Inject,
  Injectable,
  Module,
  type ModuleMetadata,
  type Type,
} from '@nestjs/common';
import { CloacinaModule } from '../../../lib/cloacina.module.js';
import { getRunnerToken } from '../../../lib/cloacina.tokens.js';
import { CloacinaTenants } from '../../../lib/tenants/hosting/cloacina-tenants.js';
import type { CloacinaRunner } from '../../../lib/runner/cloacina-runner.js';

const FAILURE = 'Refused by the application.';

function refuse(): never {
  throw new Error(FAILURE);
}

/** What of the application fails, each when two tenants are open and have been used. */
const PARTS = {
  'a factory': () => ({
    providers: [{ provide: 'X', useFactory: useAndRefuse, inject: [getRunnerToken('one')] }],
  }),
  'a factory that waits for nothing': () => ({
    providers: [{ provide: 'X', useFactory: refuse }],
  }),
  'a controller': () => {
    @Controller()
    class Failing {
      constructor(@Inject(getRunnerToken('one')) _runner: unknown) {
        refuse();
      }
    }
    return { controllers: [Failing] };
  },
  "a module's constructor": () => {
    @Module({})
    class Failing {
      constructor(@Inject(getRunnerToken('two')) _runner: unknown) {
        refuse();
      }
    }
    return { imports: [Failing] };
  },
  onModuleInit: () => withHook('onModuleInit'),
  onApplicationBootstrap: () => withHook('onApplicationBootstrap'),
  /** For a test that lets something else fail. */
  nothing: () => ({}),
} satisfies Record<string, () => ModuleMetadata>;

export const FAILING_PARTS = (Object.keys(PARTS) as (keyof typeof PARTS)[]).filter(
  (part) => part !== 'nothing',
);

/** A hook that uses all that a tenant has, so that whatever connects when it is used is connected. */
function withHook(hook: 'onModuleInit' | 'onApplicationBootstrap'): ModuleMetadata {
  @Injectable()
  class Failing {
    constructor(
      @Inject(getRunnerToken('one')) readonly runner: CloacinaRunner,
      @Inject(CloacinaTenants) readonly tenants: CloacinaTenants,
    ) {}
    async fail(): Promise<void> {
      const added = await this.tenants.add({ schema: 'added' });
      await added.recovery.run();
      await useAndRefuse(this.runner);
    }
  }
  Object.defineProperty(Failing.prototype, hook, {
    value(this: Failing) {
      return this.fail();
    },
  });
  return { providers: [Failing] };
}

async function useAndRefuse(runner: CloacinaRunner): Promise<never> {
  await runner.list();
  return refuse();
}

/** An application with two tenants and discovery whose boot fails in a part of its own. */
export function failingApplication(part: keyof typeof PARTS, url: string): Type {
  const { imports = [], providers = [], controllers = [] }: ModuleMetadata = PARTS[part]();
  @Module({
    imports: [
      CloacinaModule.forRoot({ databaseUrl: url, tenants: { discover: true } }),
      CloacinaModule.forTenant({ tenant: 'one', schema: 'one' }),
      CloacinaModule.forTenant({ tenant: 'two', schema: 'two' }),
      ...imports,
    ],
    providers,
    controllers,
  })
  class AppModule {}
  return AppModule;
}
