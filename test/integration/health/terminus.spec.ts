import { Controller, Get, Inject, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { HealthCheckService, TerminusModule } from '@nestjs/terminus';
import { expect, it } from '@jest/globals';
import type { AddressInfo } from 'node:net';
import { CloacinaModule } from '../../../lib/cloacina.module.js';
import { defineWorkflow } from '../../../lib/discovery/define-workflow.js';
import { CloacinaTenants } from '../../../lib/tenants/hosting/cloacina-tenants.js';
import { CloacinaHealthIndicator } from '../../../lib/terminus.js';
import { TcpProxy } from '../../support/tcp-proxy.js';
import { waitFor } from '../../support/wait-for.js';
import { preparedSchema } from '../tenants/prepared-schema.js';

const simple = defineWorkflow('simple')
  .task('only', () => undefined)
  .build();

/** The controller of docs/health.md. */
@Controller('health')
class HealthController {
  constructor(
    @Inject(HealthCheckService) private readonly terminus: HealthCheckService,
    @Inject(CloacinaHealthIndicator) private readonly cloacina: CloacinaHealthIndicator,
  ) {}

  @Get('live')
  live() {
    return this.terminus.check([() => this.cloacina.isLive('cloacina')]);
  }

  @Get('ready')
  ready() {
    return this.terminus.check([() => this.cloacina.isReady('cloacina')]);
  }

  @Get()
  all() {
    return this.terminus.check([() => this.cloacina.isHealthy('cloacina')]);
  }
}

it('answers the probes of an orchestrator by Terminus', async () => {
  const proxy = await TcpProxy.start();
  const schema = await preparedSchema();

  @Module({
    imports: [
      TerminusModule.forRoot({ logger: false }),
      CloacinaModule.forRoot({ databaseUrl: proxy.url }),
      CloacinaModule.forTenant({ tenant: 'probed', schema }),
    ],
    providers: [{ provide: simple.name, useValue: simple }, CloacinaHealthIndicator],
    controllers: [HealthController],
  })
  class ProbedModule {}

  const app = await NestFactory.create(ProbedModule, { logger: false });
  await app.listen(0, '127.0.0.1');
  try {
    const { port } = app.getHttpServer().address() as AddressInfo;
    const probe = async (path: string) => {
      const response = await fetch(`http://127.0.0.1:${port}/health${path}`);
      const { status, details } = (await response.json()) as {
        status: string;
        details: { cloacina: Record<string, unknown> };
      };
      return { code: response.status, status, ...details.cloacina };
    };
    await waitFor(async () => (await probe('')).code === 200);
    expect(await probe('')).toMatchObject({
      code: 200,
      status: 'up',
      reasons: [],
      tenants: { total: 1 },
    });
    expect(await probe('/live')).toMatchObject({ code: 200, status: 'up' });
    expect(await probe('/ready')).toMatchObject({ code: 200, status: 'up' });

    await app.get(CloacinaTenants).pause('probed');
    expect(await probe('')).toMatchObject({
      code: 200,
      status: 'degraded',
      reasons: ['Claiming is paused for all tenants of this process.'],
    });

    await proxy.refuse();
    await waitFor(async () => (await probe('/ready')).code === 503);
    expect(await probe('/ready')).toMatchObject({ code: 503, status: 'down' });
    expect(await probe('')).toMatchObject({ code: 503, status: 'down' });
    expect(await probe('/live')).toMatchObject({ code: 200, status: 'up' });
  } finally {
    await app.close();
  }
});
