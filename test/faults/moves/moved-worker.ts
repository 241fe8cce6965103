import 'reflect-metadata';
import { Logger, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { CloacinaModule, CloacinaTenants, defineWorkflow } from '../../../lib/index.js';
import { CreateEffects1700000000001 } from '../../integration/moving/effects.js';

/** A process that serves tenants on three servers, starts executions in each, and is killed at any time. */
export interface MovedWorkerSettings {
  /** Part of the keys of its starts. */
  readonly name: string;
  readonly servers: Readonly<Record<string, string>>;
  /** The first server of each tenant. */
  readonly tenants: Readonly<Record<string, string>>;
}

/** A start that was acknowledged. */
export interface Acknowledged {
  readonly tenant: string;
  readonly id: string;
}

const EFFECT = `INSERT INTO effect VALUES ($1, $2, current_setting('port')::integer)`;

const order = defineWorkflow('order')
  .task('reserve', { transactional: true }, async ({ manager, executionId }) => {
    await manager.query(EFFECT, [executionId, 'reserve']);
    return { reserved: true };
  })
  .task(
    'ship',
    { transactional: true, dependsOn: ['reserve'] },
    async ({ manager, executionId }) => {
      await manager.query(EFFECT, [executionId, 'ship']);
      return { shipped: true };
    },
  )
  .build();

await work(JSON.parse(process.env['MOVED_WORKER'] ?? '{}') as MovedWorkerSettings);

async function work({ name, servers, tenants }: MovedWorkerSettings): Promise<void> {
  Logger.overrideLogger(false);
  @Module({
    imports: [
      CloacinaModule.forRoot({
        servers: Object.fromEntries(
          Object.entries(servers).map(([server, databaseUrl]) => [server, { databaseUrl }]),
        ),
        startTimeout: '30s',
        leaseDuration: '2s',
        migrations: [CreateEffects1700000000001],
      }),
      ...Object.entries(tenants).map(([schema, server]) =>
        CloacinaModule.forTenant({ schema, server }),
      ),
    ],
    providers: [{ provide: 'order', useValue: order }],
  })
  class WorkerModule {}
  const app = await NestFactory.createApplicationContext(WorkerModule, { logger: false });
  const stopping = new AbortController();
  process.on('message', () => stopping.abort());
  process.send?.({ ready: true });
  await Promise.all(
    Object.keys(tenants).map(async (tenant) => {
      for (let n = 0; !stopping.signal.aborted; n++) {
        const { runner } = app.get(CloacinaTenants).get(tenant);
        // A start that failed may be stored, or not. Only an acknowledged one must be there.
        const started = await runner
          .start('order', {}, { idempotencyKey: `${name} ${n}` })
          .catch(() => undefined);
        if (started !== undefined) process.send?.({ tenant, id: started.id });
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    }),
  );
  process.send?.({ stopped: true });
  // It works on until it is ended: executions of others are left.
}
