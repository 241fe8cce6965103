import {
  Controller,
  Get,
  Inject,
  Module,
  Param,
  UseGuards,
  type INestApplication,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { AddressInfo } from 'node:net';
import { CloacinaModule } from '../../../lib/cloacina.module.js';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import { ConfigurationError } from '../../../lib/errors/index.js';
import type { CloacinaRunner } from '../../../lib/runner/cloacina-runner.js';
import { CloacinaTenants } from '../../../lib/tenants/hosting/cloacina-tenants.js';
import {
  CurrentRunner,
  CurrentTenant,
  TenantGuard,
} from '../../../lib/tenants/requests/current-tenant.js';
import type { Tenant } from '../../../lib/tenants/hosting/tenant.js';
import { TenantResolver } from '../../../lib/tenants/requests/tenant-resolver.js';
import { databaseUrl } from '../../support/postgres.js';
import { preparedSchema } from './prepared-schema.js';

const whose = defineWorkflow('whose')
  .task('only', ({ tenant }) => ({ tenant }))
  .build();

let asked = 0;

@Controller('tenant')
class TenantController {
  constructor(@Inject(TenantResolver) private readonly resolver: TenantResolver) {}

  @Get('both/:id')
  async both(
    @CurrentTenant() tenant: Tenant,
    @Param('id') id: string,
    @CurrentRunner() runner: CloacinaRunner,
  ): Promise<object> {
    const { context } = await runner.execute(whose, { id });
    return { ...context, name: tenant.name };
  }

  @UseGuards(TenantGuard)
  @Get('guarded')
  guarded(): string {
    return 'through';
  }

  @Get('free')
  free(): string {
    return 'free';
  }

  @Get('twice')
  async twice(
    @CurrentTenant() tenant: Tenant,
    @CurrentRunner() runner: CloacinaRunner,
  ): Promise<object> {
    asked = 0;
    const request = { headers: { 'x-tenant': tenant.name } };
    const found = await Promise.all([
      this.resolver.resolve(request),
      this.resolver.resolve(request),
    ]);
    return { same: found.every(({ runner: one }) => one === runner), asked };
  }
}

const schema = await preparedSchema();

@Module({
  imports: [
    CloacinaModule.forRoot({
      databaseUrl: databaseUrl(),
      poolSize: 4,
      tenantFrom: async ({ headers }) => {
        asked++;
        const name = headers['x-tenant'];
        return typeof name === 'string' ? name : undefined;
      },
    }),
    CloacinaModule.forTenant({ tenant: 'acme', schema }),
  ],
  controllers: [TenantController],
  providers: [{ provide: whose.name, useValue: whose }],
})
class AppModule {}

describe('A request', () => {
  let app: INestApplication;
  let origin = '';
  beforeAll(async () => {
    app = await NestFactory.create(AppModule, { logger: false });
    await app.listen(0, '127.0.0.1');
    origin = `http://127.0.0.1:${(app.getHttpServer().address() as AddressInfo).port}/tenant`;
  });
  afterAll(() => app.close());

  async function get(path: string, tenant?: string): Promise<{ status: number; body: unknown }> {
    const headers: Record<string, string> = tenant === undefined ? {} : { 'x-tenant': tenant };
    const response = await fetch(`${origin}/${path}`, { headers });
    const text = await response.text();
    return { status: response.status, body: text.startsWith('{') ? JSON.parse(text) : text };
  }

  it('gets its tenant and its runner', async () => {
    expect(await get('both/7', 'acme')).toEqual({
      status: 200,
      body: { id: '7', tenant: 'acme', name: 'acme' },
    });
    expect(await get('guarded', 'acme')).toEqual({ status: 200, body: 'through' });
    expect(await get('twice', 'acme')).toEqual({ status: 200, body: { same: true, asked: 1 } });
  });

  it('gets a tenant that was added since', async () => {
    const { name } = await app.get(CloacinaTenants).add({ schema: await preparedSchema() });
    expect(await get('both/8', name)).toMatchObject({ status: 200, body: { tenant: name } });
    await app.get(CloacinaTenants).remove(name);
    expect(await get('both/8', name)).toMatchObject({ status: 404 });
  });

  it.each(['both/7', 'guarded'])(
    'for nobody is answered with 400, for a stranger with 404: %s',
    async (path) => {
      expect(await get(path)).toEqual({
        status: 400,
        body: {
          statusCode: 400,
          error: 'Bad Request',
          message: 'The request does not say which tenant it is for.',
        },
      });
      // Who asks learns nothing of the others.
      expect(await get(path, 'acm')).toEqual({
        status: 404,
        body: { statusCode: 404, error: 'Not Found', message: 'There is no tenant "acm".' },
      });
      expect((await get('free')).status).toBe(200);
    },
  );

  it('needs to be told whose it is: at boot', async () => {
    @Module({
      imports: [CloacinaModule.forRoot({ databaseUrl: databaseUrl() })],
      controllers: [TenantController],
    })
    class Untold {}
    const failure: unknown = await NestFactory.create(Untold, {
      logger: false,
      abortOnError: false,
    })
      .then((created) => created.init())
      .catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(ConfigurationError);
    expect([...(failure as ConfigurationError).problems].sort()).toEqual(
      ['@CurrentRunner()', '@CurrentTenant()', 'TenantGuard'].map((what) =>
        expect.stringContaining(
          `${what} is used, but the option tenantFrom of CloacinaModule.forRoot() is missing.`,
        ),
      ),
    );
  });
});
