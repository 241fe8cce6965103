import { Controller, Injectable, Module, Optional, type ModuleMetadata } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import { describe, expect, it } from '@jest/globals';
import { TENANT_MANAGER } from '../../../lib/boot/registration.js';
import { CloacinaModule } from '../../../lib/cloacina.module.js';
import { getMigratorToken, getRunnerToken, InjectRunner } from '../../../lib/cloacina.tokens.js';
import { ConfigurationError } from '../../../lib/errors/index.js';
import { CloacinaRunner } from '../../../lib/runner/cloacina-runner.js';
import { FakeHost } from './fake-host.js';

const databaseUrl = 'postgres://app:s3cret@host/db';
const forRoot = () => CloacinaModule.forRoot({ databaseUrl });
const acme = () => CloacinaModule.forTenant({ schema: 'tenant_acme', databaseUrl });
const globex = () => CloacinaModule.forTenant({ schema: 'tenant_globex', databaseUrl });

async function boot(metadata: ModuleMetadata): Promise<TestingModule> {
  @Module(metadata)
  class AppModule {}
  const builder = Test.createTestingModule({ imports: [AppModule] });
  const app = await builder.overrideProvider(TENANT_MANAGER).useValue(new FakeHost()).compile();
  return app.init();
}

async function failureOf(metadata: ModuleMetadata): Promise<Error> {
  return boot(metadata).then(
    () => new Error('It has booted.'),
    (error: Error) => error,
  );
}

@Injectable()
class Orders {
  constructor(@InjectRunner('acme') readonly runner: unknown) {}
}
@Injectable()
class Shipping {
  @InjectRunner('acme') readonly runner!: unknown;
}
@Controller()
class Invoices {
  constructor(@InjectRunner('acme') readonly runner: unknown) {}
}
@Module({ providers: [Orders] })
class Feature {}
/** By then Nest has looked at the providers of all modules, and at no controller of this one. */
const slow = {
  provide: 'slow',
  useFactory: () => new Promise((resolve) => setImmediate(resolve)),
};
const asynchronous = () =>
  CloacinaModule.forRootAsync({
    useFactory: () => new Promise((resolve) => setImmediate(() => resolve({ databaseUrl }))),
  });

describe('A runner that is injected by a name that no tenant has', () => {
  it.each<[string, () => ModuleMetadata]>([
    ['a provider', () => ({ imports: [acme(), globex()], providers: [Orders] })],
    ['a property', () => ({ imports: [acme(), globex()], providers: [Shipping] })],
    ['a controller', () => ({ imports: [acme(), globex()], controllers: [Invoices] })],
    ['a late controller', () => ({ imports: [acme(), globex()], providers: [slow], controllers: [Invoices] })], // prettier-ignore
    ['a module before', () => ({ imports: [Feature, acme(), globex()] })],
    ['a module behind', () => ({ imports: [asynchronous(), acme(), globex(), Feature] })],
    ['a factory', () => ({ imports: [acme(), globex()], providers: [{ provide: 'Orders', useFactory: () => 1, inject: [getRunnerToken('acme')] }] })], // prettier-ignore
  ])('by %s gets the name that was meant, and the others', async (_consumer, metadata) => {
    const error = await failureOf(metadata());
    const help =
      'injects the CloacinaRunner of tenant "acme", which no module provides. Did you mean "tenant_acme"? ' +
      'Known: "tenant_acme", "tenant_globex". Import CloacinaModule.forTenant() for it.';
    expect(error.message).toContain(help);
    expect(error.stack).toContain(help);
  });

  it('is named once to a class that injects it twice', async () => {
    @Injectable()
    class Twice {
      constructor(
        @InjectRunner('acme') readonly first: unknown,
        @InjectRunner('acme') readonly second: unknown,
      ) {}
    }
    const { message } = await failureOf({ imports: [acme()], providers: [Twice] });
    expect(message.match(/Did you mean "tenant_acme"/g)).toHaveLength(1);
  });

  it('has a ConfigurationError as the cause of the error of Nest', async () => {
    const error = await failureOf({ imports: [acme()], providers: [Orders] });
    expect(error.name).not.toBe('ConfigurationError');
    expect(error.message).toMatch(/^Nest can't resolve dependencies of the Orders/);
    expect(error.cause).toBeInstanceOf(ConfigurationError);
  });

  it('is reported with everything else that is wrong where Nest has not given up', async () => {
    const typo = CloacinaModule.forTenant({ databaseUrl, schemma: 'x' } as never);
    const error = await failureOf({
      imports: [acme(), typo],
      providers: [slow],
      controllers: [Invoices],
    });
    expect(error).toBeInstanceOf(ConfigurationError);
    expect((error as ConfigurationError).problems).toEqual([
      expect.stringContaining('there is no option "schemma"'),
      expect.stringMatching(
        /^Invoices \(in AppModule\) injects the CloacinaRunner of tenant "acme"/,
      ),
    ]);
  });

  it('tells an application without tenants how to have one', async () => {
    const error = await failureOf({ imports: [forRoot()], providers: [Orders] });
    expect(error.message).toContain(
      'Orders (in AppModule) injects the CloacinaRunner of tenant "acme", but the application has no tenant: ' +
        'CloacinaModule.forRoot() sets only the options that tenants share. Import CloacinaModule.forTenant()',
    );
  });

  it('is left to those that can do without', async () => {
    @Injectable()
    class Relaxed {
      constructor(@Optional() @InjectRunner('acme') readonly runner?: unknown) {}
    }
    const app = await boot({ imports: [globex()], providers: [Relaxed] });
    expect(app.get(Relaxed).runner).toBeUndefined();
  });

  it('is left to an application that provides it itself', async () => {
    const own = { provide: getRunnerToken('acme'), useValue: 'own' };
    const app = await boot({ imports: [globex()], providers: [Orders, own] });
    expect(app.get(Orders).runner).toBe('own');
  });

  it('leaves other failures of Nest as they are', async () => {
    const other = { provide: 'Other', useFactory: () => 1, inject: [getMigratorToken('x'), 'y'] };
    const error = await failureOf({
      imports: [acme()],
      providers: [{ provide: 'X', useFactory: () => 1, inject: ['nothing'] }],
    });
    expect(error.message).not.toContain('nestjs-cloacina:');
    const both = await failureOf({ imports: [acme()], providers: [other] });
    expect(both.message.split('nestjs-cloacina:')).toHaveLength(2);
  });
});

describe('A class that is injected in an application without tenants', () => {
  @Injectable()
  class Consumer {
    constructor(readonly runner: CloacinaRunner) {}
  }
  const help =
    'but the application has no tenant: CloacinaModule.forRoot() sets only the options that tenants share. Import ' +
    "CloacinaModule.forTenant(), such as CloacinaModule.forTenant({ schema: 'tenant_acme' }). Get a tenant that is " +
    'added or discovered at run time from CloacinaTenants.get(name).';

  it('is reported', async () => {
    const error = await failureOf({ imports: [forRoot()], providers: [Consumer] });
    expect(error).toBeInstanceOf(ConfigurationError);
    expect((error as ConfigurationError).problems).toEqual([
      `Consumer (in AppModule) injects CloacinaRunner, ${help}`,
    ]);
  });

  it('says so when it was asked for by other means, and is used', async () => {
    const app = await boot({ imports: [forRoot()] });
    expect(() => app.get(CloacinaRunner).list()).toThrow(`CloacinaRunner was asked for, ${help}`);
  });

  it('is left to those that can do without, and to an application that provides it', async () => {
    @Injectable()
    class Relaxed {
      constructor(@Optional() readonly runner?: CloacinaRunner) {}
    }
    await boot({ imports: [forRoot()], providers: [Relaxed] });
    const own = { provide: CloacinaRunner, useValue: 'own' };
    const app = await boot({ imports: [forRoot()], providers: [Consumer, own] });
    expect(app.get(Consumer).runner).toBe('own');
  });
});
