import {
  Inject,
  Injectable,
  Module,
  type OnModuleDestroy,
  type OnModuleInit,
} from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import { getDataSourceToken, InjectRepository, TypeOrmModule } from '@nestjs/typeorm';
import { afterEach, describe, expect, it } from '@jest/globals';
import {
  Column,
  Entity,
  PrimaryColumn,
  type DataSource,
  type MigrationInterface,
  type QueryRunner,
  type Repository,
} from 'typeorm';
import { CloacinaModule } from '../../../lib/cloacina.module.js';
import { getRunnerToken, InjectRunner } from '../../../lib/cloacina.tokens.js';
import type { TaskContext } from '../../../lib/discovery/task-context.js';
import { Task } from '../../../lib/discovery/task.decorator.js';
import { Workflow } from '../../../lib/discovery/workflow.decorator.js';
import { CloacinaRunner } from '../../../lib/runner/cloacina-runner.js';
import { databaseUrl, freshSchema } from '../../support/postgres.js';
import { preparedSchema } from '../tenants/prepared-schema.js';

@Entity('invoice')
class Invoice {
  @PrimaryColumn('text') id!: string;
  @Column('text') tenant!: string;
}

class CreateInvoice1700000000000 implements MigrationInterface {
  async up(runner: QueryRunner) {
    await runner.query('CREATE TABLE invoice (id text PRIMARY KEY, tenant text NOT NULL)');
  }
  async down(runner: QueryRunner) {
    await runner.query('DROP TABLE invoice');
  }
}

@Workflow({ name: 'bill' })
class Bill {
  @Task({ transactional: true })
  async write(context: TaskContext<{ id: string; billedBy?: string }>) {
    await context.manager.insert(Invoice, { id: context.require('id'), tenant: context.tenant });
    return { billedBy: context.tenant };
  }
}

const open: TestingModule[] = [];

async function start(
  module: Parameters<typeof Test.createTestingModule>[0],
): Promise<TestingModule> {
  const app = await Test.createTestingModule(module).compile();
  open.push(app);
  return app.init();
}

afterEach(async () => {
  await Promise.all(open.splice(0).map((app) => app.close()));
});

const billing = { entities: [Invoice], migrations: [CreateInvoice1700000000000] };

describe('CloacinaModule on a database', () => {
  it('serves tenants side by side, with their repositories, each in its schema', async () => {
    const schemas = {
      acme: await preparedSchema('acme'),
      globex: await preparedSchema('globex'),
    };
    @Injectable()
    class Invoices {
      constructor(
        @InjectRepository(Invoice, 'acme') readonly acme: Repository<Invoice>,
        @InjectRepository(Invoice, 'globex') readonly globex: Repository<Invoice>,
        @InjectRunner('acme') readonly acmeRunner: CloacinaRunner,
        @InjectRunner('globex') readonly globexRunner: CloacinaRunner,
      ) {}
    }
    const app = await start({
      imports: [
        CloacinaModule.forRoot({ databaseUrl: databaseUrl(), poolSize: 4 }),
        CloacinaModule.forTenant({ tenant: 'acme', schema: schemas.acme, ...billing }),
        CloacinaModule.forTenantAsync({
          tenant: 'globex',
          useFactory: () => Promise.resolve({ schema: schemas.globex, ...billing }),
        }),
        TypeOrmModule.forFeature([Invoice], 'globex'),
      ],
      providers: [Bill, Invoices],
    });
    const invoices = app.get(Invoices);
    const results = await Promise.all([
      invoices.acmeRunner.execute(Bill, { id: 'a' }),
      invoices.globexRunner.execute(Bill, { id: 'g' }),
    ]);
    expect(results.map((result) => result.orThrow().context)).toEqual([
      { id: 'a', billedBy: 'acme' },
      { id: 'g', billedBy: 'globex' },
    ]);
    expect(await invoices.acme.find()).toEqual([{ id: 'a', tenant: 'acme' }]);
    expect(await invoices.globex.find()).toEqual([{ id: 'g', tenant: 'globex' }]);
  });

  it('lets providers start workflows while the application boots', async () => {
    const schema = freshSchema('early');
    @Injectable()
    class Early implements OnModuleInit {
      id: string | undefined;
      constructor(@Inject(CloacinaRunner) readonly runner: CloacinaRunner) {}
      async onModuleInit() {
        ({ id: this.id } = await this.runner.start(Bill, { id: 'early' }));
      }
    }
    const app = await start({
      imports: [CloacinaModule.forTenant({ schema, databaseUrl: databaseUrl(), ...billing })],
      providers: [Bill, Early],
    });
    const { id = '' } = app.get(Early);
    const result = await app
      .get<CloacinaRunner>(getRunnerToken(schema))
      .handle(id)
      .result({ timeout: '60s' });
    expect(result.status).toBe('Completed');
  });

  it('keeps the services of a running handler alive until it has ended', async () => {
    const schema = await preparedSchema('drain');
    let begun: () => void = () => undefined;
    const running = new Promise<void>((resolve) => (begun = resolve));
    const seen: string[] = [];
    @Injectable()
    class Service implements OnModuleDestroy {
      alive = true;
      onModuleDestroy() {
        this.alive = false;
        seen.push('destroyed');
      }
    }
    @Workflow({ name: 'slow' })
    class Slow {
      constructor(@Inject(Service) readonly service: Service) {}
      @Task()
      async work() {
        begun();
        await new Promise((resolve) => setTimeout(resolve, 200));
        seen.push(`ended, alive: ${this.service.alive}`);
      }
    }
    @Module({
      imports: [
        CloacinaModule.forTenant({ tenant: 'drained', schema, databaseUrl: databaseUrl() }),
      ],
      providers: [Service, Slow],
    })
    class AppModule {}
    const app = await start({ imports: [AppModule] });
    const dataSource = app.get<DataSource>(getDataSourceToken('drained'));
    const { id } = await app.get(CloacinaRunner).start(Slow);
    await running;
    await app.close();
    expect(seen).toEqual(['ended, alive: true', 'destroyed']);
    expect(dataSource.isInitialized).toBe(false);

    const again = await start({ imports: [AppModule] });
    expect(await again.get(CloacinaRunner).get(id)).toMatchObject({ status: 'Completed' });
  });

  it('refuses to wait for an end before claims begin, and keeps what was started', async () => {
    const refusals: unknown[] = [];
    let id = '';
    @Workflow({ name: 'early' })
    class Early {
      @Task() work() {}
    }
    @Injectable()
    class Seed implements OnModuleInit {
      constructor(@Inject(CloacinaRunner) private readonly runner: CloacinaRunner) {}
      async onModuleInit() {
        const handle = await this.runner.start(Early);
        id = handle.id;
        const note = (error: unknown): void => void refusals.push(error);
        await handle.result().catch(note);
        await this.runner.execute(Early).catch(note);
      }
    }
    const schema = await preparedSchema('early');
    const tenant = { tenant: 'early', schema, databaseUrl: databaseUrl() };
    const app = await start({
      imports: [CloacinaModule.forTenant(tenant)],
      providers: [Early, Seed],
    });
    expect(refusals).toMatchObject([{ code: 'NOT_ALLOWED' }, { code: 'NOT_ALLOWED' }]);
    expect(String(refusals[1])).toContain('execute()');
    const runner = app.get(CloacinaRunner);
    expect(await runner.handle(id).result()).toMatchObject({ status: 'Completed' });
    expect((await runner.list({ workflow: 'early' })).items).toHaveLength(1);
  });
});
