import { beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import type { QueryRunner } from 'typeorm';
import { isolationRoleName } from '../../../lib/tenants/admin/role-name.js';
import { openTenant, type OpenTenant } from '../../support/open-tenant.js';
import { type AdminDatabase, createAdminDatabase } from './admin-database.js';

let database: AdminDatabase;
let tenant: OpenTenant;
let role: string;
beforeAll(async () => {
  database = await createAdminDatabase();
  const { schema } = database.names();
  tenant = await openTenant([], { schema, databaseUrl: database.adminUrl, isolation: 'role' });
  role = isolationRoleName(database.name, schema);
});

async function whoAmI(runner: QueryRunner): Promise<unknown> {
  const [row] = (await runner.query('SELECT current_user AS me')) as { me: string }[];
  return row?.me;
}

/** Each ends a transaction and begins the next one in the same message. */
const ways: [string, (runner: QueryRunner) => Promise<unknown>][] = [
  ['COMMIT AND CHAIN', (runner) => runner.query('COMMIT AND CHAIN')],
  ['ROLLBACK AND CHAIN', (runner) => runner.query('ROLLBACK AND CHAIN')],
  ['END WORK AND CHAIN, with a comment', (runner) => runner.query('END WORK AND /* x */ CHAIN')],
  ['COMMIT and BEGIN in one text', (runner) => runner.query('COMMIT; BEGIN')],
  [
    'ROLLBACK AND CHAIN after a failure',
    async (runner) => {
      await runner.query('SELECT 1 / 0').catch(() => undefined);
      await runner.query('ROLLBACK AND CHAIN');
    },
  ],
  [
    'a prepared COMMIT AND CHAIN',
    async (runner) => {
      const client = (await runner.connect()) as pg.ClientBase;
      await client.query({ name: 'chain', text: 'COMMIT AND CHAIN' });
    },
  ],
  [
    "COMMIT AND CHAIN as the driver's own query object",
    async (runner) => {
      const client = (await runner.connect()) as pg.ClientBase;
      const query = new pg.Query('COMMIT AND CHAIN');
      const end = new Promise((resolve, reject) => {
        query.on('end', resolve);
        query.on('error', reject);
      });
      client.query(query);
      await end;
    },
  ],
];

describe('a transaction that is chained to the one before', () => {
  it.each(ways)('is under the role of the tenant: %s', async (_way, chain) => {
    const runner = tenant.dataSource.createQueryRunner();
    try {
      await runner.query('BEGIN');
      expect(await whoAmI(runner)).toBe(role);
      await chain(runner);
      expect(await whoAmI(runner)).toBe(role);
      await runner.query('COMMIT');
      expect(await whoAmI(runner)).toBe(role);
    } finally {
      await runner.release();
    }
  });
});
