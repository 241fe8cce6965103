import { Logger } from '@nestjs/common';
import pg from 'pg';
import { createTenantDataSource } from '../../../lib/store/postgres/typeorm/data-source.js';
import { createPools, type LoginPools } from '../../../lib/store/postgres/connections/pools.js';
import { SYSTEM_CLOCKS } from '../../../lib/store/postgres/clocks.js';
import { PostgresStore } from '../../../lib/store/postgres/postgres-store.js';
import { CloacinaMigrator } from '../../../lib/tenants/migrations/cloacina-migrator.js';
import { prepareSchema } from '../../support/open-tenant.js';
import { connectAdmin, databaseUrl, freshSchema } from '../../support/postgres.js';
import { Session } from './session.js';

Logger.overrideLogger(false);

/** A tenant's store on a freshly migrated schema, and what a test needs to look behind it. */
export interface OpenStore {
  readonly schema: string;
  readonly store: PostgresStore;
  /** Another store on the tenant, which keeps the keys of deleted executions. */
  readonly keeping: PostgresStore;
  readonly tables: PostgresStore['handle'];
  readonly pools: LoginPools;
  /** The server's owner, on a connection of its own. */
  readonly admin: pg.Client;
  /** A connection with the settings of the pool for hot statements. */
  connect(settings?: string): Promise<Session>;
  /** Several of them. */
  connectAll(count: number, settings?: string): Promise<Session[]>;
  close(): Promise<void>;
}

/** What the server calls the connections of the store's pools. */
export function applicationName(schema: string): string {
  return `store ${schema}`;
}

/** In the database that all tests share, unless another one is named. */
export async function openStore(url = databaseUrl()): Promise<OpenStore> {
  const schema = freshSchema('store');
  if (url === databaseUrl()) await prepareSchema(schema);
  const connection: pg.ClientConfig = { connectionString: url };
  const pools = createPools({
    clock: SYSTEM_CLOCKS.process,
    connection,
    poolSize: 8,
    applicationName: applicationName(schema),
  });
  const dataSource = await createTenantDataSource({ pool: pools.general, schema }).initialize();
  await new CloacinaMigrator({
    tenant: schema,
    schema,
    pool: pools.general,
    dataSource,
  }).ensure();
  const quotedSchema = pg.escapeIdentifier(schema);
  const parts = { schema, quotedSchema, pools, dataSource, clocks: SYSTEM_CLOCKS };
  const store = new PostgresStore(parts);
  const admin = await connectAdmin(url);
  const sessions: Session[] = [];
  const connect = async (settings = ''): Promise<Session> => {
    const options = `${pools.statements[0]?.options.options ?? ''} ${settings}`;
    const session = await Session.open(store.handle, { ...connection, options });
    sessions.push(session);
    return session;
  };
  return {
    schema,
    store,
    keeping: new PostgresStore({ ...parts, keepsKeys: true }),
    tables: store.handle,
    pools,
    admin,
    connect,
    connectAll: (count, settings) =>
      Promise.all(Array.from({ length: count }, () => connect(settings))),
    close: async () => {
      await Promise.all(sessions.map((session) => session.close()));
      await dataSource.destroy();
      await pools.end();
      await admin.end();
    },
  };
}
