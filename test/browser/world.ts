import type { AddressInfo } from 'node:net';
import { Module, VersioningType, type INestApplication } from '@nestjs/common';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import { CloacinaModule } from '../../lib/cloacina.module.js';
import type { CloacinaServerOptions } from '../../lib/cloacina.options.js';
import type { CloacinaDashboardOptions } from '../../lib/dashboard/dashboard-options.js';
import { CloacinaDashboardModule } from '../../lib/dashboard/dashboard.module.js';
import { PageFiles } from '../../lib/dashboard/page-files.js';
import type { WorkflowDefinition } from '../../lib/discovery/workflow-builder.js';
import type { CloacinaRunner } from '../../lib/runner/cloacina-runner.js';
import { CloacinaTenants } from '../../lib/tenants/hosting/cloacina-tenants.js';
import { UserGuard, type Platform } from '../integration/dashboard/served.js';
import { databaseUrl, freshSchema } from '../support/postgres.js';
import {
  approval,
  group,
  hostile,
  HOSTILE,
  imported,
  order,
  RIGHT_TO_LEFT,
  subsidiary,
} from './workflows.js';

/** An application with a dashboard, and what its pages show. */
export class World {
  readonly acme: CloacinaRunner;
  readonly globex: CloacinaRunner;

  private constructor(
    readonly app: INestApplication,
    /** The address of the page, without a slash at its end. */
    readonly url: string,
  ) {
    const tenants = app.get(CloacinaTenants);
    this.acme = tenants.get('acme').runner;
    this.globex = tenants.get('globex').runner;
  }

  static async start(
    platform: Platform,
    {
      options = {},
      workflows = [order, approval, imported, hostile, subsidiary, group],
      servers,
      prepare = () => undefined,
    }: {
      readonly options?: Partial<CloacinaDashboardOptions>;
      readonly workflows?: readonly WorkflowDefinition[];
      /** Servers with names. The tenants are on the first one. */
      readonly servers?: Readonly<Record<string, CloacinaServerOptions>>;
      /** Adds middleware. */
      readonly prepare?: (app: INestApplication) => void;
    } = {},
  ): Promise<World> {
    const place = servers === undefined ? { databaseUrl: databaseUrl() } : { servers };
    const [first] = Object.keys(servers ?? {});
    const at = first === undefined ? {} : { server: first };
    @Module({
      imports: [
        CloacinaModule.forRoot({ ...place, maxContextSize: 8_000_000 }),
        CloacinaModule.forTenant({ tenant: 'acme', schema: freshSchema(), ...at }),
        CloacinaModule.forTenant({ tenant: 'globex', schema: freshSchema(), ...at }),
        CloacinaDashboardModule.register({
          path: 'ops/cloacina',
          guards: [UserGuard],
          actor: () => 'ann',
          redact: ['card'],
          ...options,
        }),
      ],
      providers: workflows.map((workflow) => ({ provide: workflow.name, useValue: workflow })),
    })
    class AppModule {}

    const module = await Test.createTestingModule({ imports: [AppModule] })
      .overrideProvider(PageFiles)
      // Built by global-setup.mjs.
      .useValue(new PageFiles(process.env['CLOACINA_TEST_PAGE']))
      .compile();
    const adapter = platform === 'Express' ? new ExpressAdapter() : new FastifyAdapter();
    const app = module.createNestApplication(adapter, { logger: false });
    app.setGlobalPrefix('v');
    app.enableVersioning({ type: VersioningType.URI, defaultVersion: '1' });
    prepare(app);
    await app.listen(0, '127.0.0.1');
    const { port } = app.getHttpServer().address() as AddressInfo;
    return new World(app, `http://127.0.0.1:${port}/v/ops/cloacina`);
  }

  /** Orders of two tenants: three of acme are completed, two have failed. Returns the id of a failed one. */
  async orders(): Promise<string> {
    const ended = await Promise.all(
      [40, 1_200, 75, 2_000, 99].map((total) =>
        this.acme.execute(
          order,
          { customer: 'c-7', card: '4242', total },
          { settled: true, tags: { region: 'eu' } },
        ),
      ),
    );
    await this.globex.execute(
      order,
      { customer: 'c-8', card: '4242', total: 5_000 },
      { settled: true },
    );
    return ended.find(({ status }) => status === 'Failed')!.id;
  }

  /** An execution that waits for the signal `approval`. */
  async waiting(tags: Record<string, string> = {}): Promise<string> {
    const { id } = await this.acme.start(approval, { amount: 120 }, { tags });
    return id;
  }

  /** What harms a page that shows it as markup, or all at once. */
  async hostile(): Promise<string> {
    const large = Array.from({ length: 130_000 }, (_, no) => `line ${no} of a value that is large`);
    const { id } = await this.acme.execute(
      hostile,
      { text: HOSTILE, rtl: RIGHT_TO_LEFT, large },
      { settled: true, tags: { note: 'x'.repeat(200) } },
    );
    return id;
  }

  async schedule(): Promise<void> {
    await this.acme.schedules.create(
      'nightly-orders',
      order,
      { cron: '0 3 * * *', timezone: 'Europe/Lisbon' },
      { customer: 'c-1', card: '4242', total: 1 },
    );
  }

  /** What people did to a workflow and a schedule. */
  async actions(): Promise<void> {
    const { acme } = this;
    const actor = 'ann@example.com';
    await acme.pauseWorkflow(imported, { actor, reason: 'The file of Friday has wrong codes' });
    await acme.resumeWorkflow(imported, { actor });
    await acme.schedules.pause('nightly-orders', { actor: 'bob', reason: 'x'.repeat(300) });
    await acme.schedules.resume('nightly-orders', { actor: 'n'.repeat(2_000) });
    await acme.pauseWorkflow(hostile, { actor: RIGHT_TO_LEFT });
    await acme.resumeWorkflow(hostile);
  }

  close(): Promise<void> {
    return this.app.close();
  }
}
