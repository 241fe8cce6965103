import {
  Global,
  Injectable,
  Logger,
  Module,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
  type OnModuleDestroy,
  type OnModuleInit,
} from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { TENANT_MANAGER } from '../../../lib/boot/registration.js';
import { CloacinaModule } from '../../../lib/cloacina.module.js';
import { FakeHost } from './fake-host.js';

const tenant = () => CloacinaModule.forTenant({ databaseUrl: 'postgres://host/db' });

/** A service that says when its hooks are called. */
function service(name: string, calls: string[]) {
  @Injectable()
  class Service
    implements OnModuleInit, OnApplicationBootstrap, OnModuleDestroy, OnApplicationShutdown
  {
    onModuleInit() {
      calls.push(`${name} init`);
    }
    onApplicationBootstrap() {
      calls.push(`${name} bootstrap`);
    }
    onModuleDestroy() {
      calls.push(`${name} destroy`);
    }
    onApplicationShutdown() {
      calls.push(`${name} shutdown`);
    }
  }
  return Service;
}

/** An application whose root, a feature, a global module and a deeper one each have such a service. */
async function run(calls: string[], importsFirst: boolean) {
  @Module({ providers: [service('deep', calls)] })
  class Deep {}
  @Module({ imports: [Deep], providers: [service('feature', calls)] })
  class Feature {}
  @Global()
  @Module({ providers: [service('global', calls)] })
  class GlobalModule {}
  const others = [Feature, GlobalModule];
  @Module({
    imports: importsFirst ? [tenant(), ...others] : [...others, tenant()],
    providers: [service('root', calls)],
  })
  class AppModule {}
  const app = await Test.createTestingModule({ imports: [AppModule] })
    .overrideProvider(TENANT_MANAGER)
    .useValue(new FakeHost(calls))
    .compile();
  await app.init();
  await app.close();
}

describe('the lifecycle', () => {
  it.each([true, false])(
    'claims last and drains first, closing at the very end (imported first: %s)',
    async (first) => {
      const calls: string[] = [];
      await run(calls, first);
      const at = (call: string) => calls.indexOf(call);
      const each = (hook: string) =>
        ['root', 'feature', 'deep', 'global'].map((name) => at(`${name} ${hook}`));
      expect(calls).toHaveLength(4 + 4 * 4);
      expect(at('startClaiming')).toBeGreaterThan(Math.max(...each('bootstrap')));
      expect(at('drain')).toBeLessThan(Math.min(...each('destroy')));
      expect(at('close')).toBeGreaterThan(Math.max(...each('destroy')));
      for (const call of ['root shutdown', 'feature shutdown', 'deep shutdown']) {
        expect(at('close')).toBeGreaterThan(at(call));
      }
    },
  );

  it('lets the other modules be destroyed when the drain fails', async () => {
    const calls: string[] = [];
    const error = jest.spyOn(Logger.prototype, 'error').mockImplementation(() => undefined);
    const host = new FakeHost(calls);
    host.drain = () => Promise.reject(new Error('no database'));
    const app = await Test.createTestingModule({
      imports: [tenant()],
      providers: [service('root', calls)],
    })
      .overrideProvider(TENANT_MANAGER)
      .useValue(host)
      .compile();
    await app.init();
    await app.close();
    expect(calls).toContain('root destroy');
    expect(error.mock.calls).toEqual([
      [expect.stringMatching(/^The drain failed, .*: no database$/)],
    ]);
    error.mockRestore();
  });
});

describe('without shutdown hooks', () => {
  const noListener = () => undefined;

  beforeEach(() => {
    jest.useFakeTimers();
  });

  afterEach(() => {
    jest.useRealTimers();
    jest.restoreAllMocks();
    process.removeListener('SIGTERM', noListener);
  });

  async function warnings(options: {
    listening?: boolean;
    maxConcurrentTasks?: number;
    closed?: boolean;
  }) {
    const warn = jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
    const { maxConcurrentTasks = 100 } = options;
    const app = await Test.createTestingModule({
      imports: [CloacinaModule.forRoot({ maxConcurrentTasks }), tenant()],
    })
      .overrideProvider(TENANT_MANAGER)
      .useValue(new FakeHost())
      .compile();
    await app.init();
    // After the bootstrap, as after NestFactory.createApplicationContext().
    if (options.listening === true) process.on('SIGTERM', noListener);
    if (options.closed === true) await app.close();
    jest.advanceTimersByTime(5_000);
    await app.close();
    return warn.mock.calls.flat();
  }

  it('warns that running tasks will be killed', async () => {
    expect(await warnings({})).toEqual([expect.stringContaining('app.enableShutdownHooks()')]);
  });

  it('does not warn when something listens, when nothing is run here, or when it was closed already', async () => {
    expect(await warnings({ listening: true })).toEqual([]);
    process.removeListener('SIGTERM', noListener);
    expect(await warnings({ maxConcurrentTasks: 0 })).toEqual([]);
    expect(await warnings({ closed: true })).toEqual([]);
  });
});
