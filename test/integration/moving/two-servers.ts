import { CloacinaAdmin } from '../../../lib/tenants/admin/cloacina-admin.js';
import { connectAdmin, databaseUrl } from '../../support/postgres.js';
import { SecondServer } from '../../support/second-server.js';

/** The database of the test file, and a database on another server, because roles are those of a whole server. */
export interface TwoServers {
  readonly eu: Pick<SecondServer, 'url' | 'query'>;
  readonly us: SecondServer;
  readonly admin: CloacinaAdmin;
}

/** Close `us` after the tests. */
export async function twoServers(): Promise<TwoServers> {
  const us = await SecondServer.connect();
  const eu: TwoServers['eu'] = { url: databaseUrl(), query: queryHere };
  const admin = new CloacinaAdmin({
    servers: { eu: { databaseUrl: eu.url }, us: { databaseUrl: us.url } },
  });
  return { eu, us, admin };
}

async function queryHere<R extends object>(
  sql: string,
  values: readonly unknown[] = [],
): Promise<R[]> {
  const client = await connectAdmin(databaseUrl());
  try {
    return (await client.query<R>(sql, [...values])).rows;
  } finally {
    await client.end();
  }
}
