import { type LoggerService, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { CloacinaModule, CloacinaTenants, type Tenant } from '../index.js';

/** Which tenant to open, and how. */
export interface ClientOptions {
  readonly databaseUrl: string;
  readonly tenant: string;
  readonly schema: string;
  /** Whether it takes over the tasks of lost processes. Default: false. */
  readonly recovers?: boolean;
  readonly logger: LoggerService;
}

@Module({})
class ClientModule {}

/**
 * Opens one tenant for reads and controls, in a process that has none of the application's code: it claims nothing, migrates
 * nothing and recovers nothing. It works beside running applications. Inside is a Nest application context, because the
 * public API is injected.
 *
 * Executions are started by the newest stored definition of their workflow, whose input this process can't check: the schema
 * of an input is code.
 *
 * @throws what opening a tenant throws: DatabaseConnectionError, MigrationError, NotAllowedError, PermissionError
 */
export async function withClient<T>(
  { databaseUrl, tenant, schema, recovers = false, logger }: ClientOptions,
  work: (tenant: Tenant) => Promise<T>,
): Promise<T> {
  const app = await NestFactory.createApplicationContext(
    {
      module: ClientModule,
      imports: [
        CloacinaModule.forRoot({
          databaseUrl,
          migrate: false,
          maxConcurrentTasks: 0,
          poolSize: 3,
          // Its lock proves that this process lives, by which others know that too. Only a recovery needs the proof.
          controlConnection: recovers,
          enableRecovery: recovers,
          logFailures: false,
        }),
      ],
    },
    { logger, abortOnError: false },
  );
  try {
    return await work(await app.get(CloacinaTenants).add({ tenant, schema }));
  } finally {
    await app.close();
  }
}
