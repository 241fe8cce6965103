import { Injectable, Module, Optional, type ModuleMetadata } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { getRepositoryToken, InjectRepository } from '@nestjs/typeorm';
import { describe, expect, it } from '@jest/globals';
import { TENANT_MANAGER } from '../../../lib/boot/registration.js';
import { CloacinaModule } from '../../../lib/cloacina.module.js';
import { FakeHost } from './fake-host.js';

class Invoice {
  readonly id = 1;
}
class Other {
  readonly name = 'other';
}

@Injectable()
class Reports {
  constructor(@InjectRepository(Invoice) readonly invoices: unknown) {}
}
@Injectable()
class Misspelt {
  constructor(@InjectRepository(Invoice, 'acmee') readonly invoices: unknown) {}
}

const tenant = (name: string, entities: readonly (typeof Invoice | typeof Other)[]) =>
  CloacinaModule.forTenant({
    tenant: name,
    schema: `tenant_${name}`,
    databaseUrl: 'postgres://app:s3cret@host/db',
    entities: [...entities],
  });

async function messageOf(metadata: ModuleMetadata): Promise<string | undefined> {
  @Module(metadata)
  class AppModule {}
  const builder = Test.createTestingModule({ imports: [AppModule] });
  builder.overrideProvider(TENANT_MANAGER).useValue(new FakeHost());
  return builder.compile().then(
    () => undefined,
    (error: Error) => error.message,
  );
}

describe('The repository of a tenant’s entity', () => {
  it('that is injected without a tenant gets the decorator that was meant', async () => {
    const imports = [tenant('acme', [Invoice])];
    expect(await messageOf({ imports, providers: [Reports] })).toContain(
      'nestjs-cloacina: Reports (in AppModule) injects "InvoiceRepository", which no module provides. ' +
        "The repository of a tenant's entity is injected with the tenant's name: @InjectRepository(Invoice, 'acme').",
    );
  });

  it('that is injected by another name gets those of all tenants that have it', async () => {
    const imports = [
      tenant('acme', [Invoice]),
      tenant('globex', [Invoice]),
      tenant('initech', [Other]),
    ];
    expect(await messageOf({ imports, providers: [Misspelt] })).toContain(
      `"acmee_InvoiceRepository", which no module provides. The repository of a tenant's entity is injected with the ` +
        `tenant's name: @InjectRepository(Invoice, 'acme') or @InjectRepository(Invoice, 'globex').`,
    );
  });

  it.each([
    ['of no tenant', { imports: [tenant('acme', [Other])], providers: [Reports] }],
    ['without forTenant', { providers: [Reports] }],
  ])('says nothing of an entity %s', async (_which, metadata) => {
    const message = await messageOf(metadata);
    expect(message).toMatch(/^Nest can't resolve dependencies of the Reports/);
    expect(message).not.toContain('nestjs-cloacina');
  });

  it('leaves alone what the application provides, and what is optional', async () => {
    @Injectable()
    class Relaxed {
      constructor(
        @Optional() @InjectRepository(Invoice, 'acmee') readonly invoices: unknown,
        @InjectRepository(Invoice) readonly own: unknown,
      ) {}
    }
    const own = { provide: getRepositoryToken(Invoice), useValue: {} };
    const imports = [tenant('acme', [Invoice])];
    expect(await messageOf({ imports, providers: [own, Relaxed] })).toBeUndefined();
  });
});
