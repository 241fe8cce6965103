import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { CloacinaAdmin } from '../../../lib/tenants/admin/cloacina-admin.js';
import { FaultyServer } from '../../faults/server/faulty-server.js';
import { freshSchema } from '../../support/postgres.js';
import { scratchDatabase } from '../../support/scratch-database.js';
import { openFleet } from '../fleet/open-fleet.js';
import { onDatabase } from './compare.js';

class CreateView1700000000000 implements MigrationInterface {
  readonly name = 'CreateView1700000000000';
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      CREATE TABLE kept (id integer PRIMARY KEY);
      CREATE VIEW all_kept AS SELECT id FROM kept;
      CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN INSERT INTO kept VALUES (NEW.id); RETURN NEW; END $$;
      CREATE TRIGGER keep INSTEAD OF INSERT ON all_kept FOR EACH ROW EXECUTE FUNCTION keep()`);
  }
  async down(): Promise<void> {}
}
const migrations = [CreateView1700000000000];

let eu = '';
let server: FaultyServer;
let us = '';
let admin: CloacinaAdmin;
beforeAll(async () => {
  [eu, server] = await Promise.all([scratchDatabase(), FaultyServer.start()]);
  us = server.url;
  admin = new CloacinaAdmin({ servers: { eu: { databaseUrl: eu }, us: { databaseUrl: us } } });
}, 120_000);
afterAll(() => server.close());

async function makeTenant(): Promise<string> {
  const schema = freshSchema('parts');
  const fleet = openFleet({ url: eu, schemas: [schema], migrations });
  await fleet.migrators[0]?.ensure();
  await fleet.close();
  return schema;
}

describe('a move', () => {
  it('carries a view with a trigger', async () => {
    const schema = await makeTenant();
    await onDatabase(eu, schema, (client) => client.query('INSERT INTO all_kept VALUES (1)'));
    await admin.moveTenant({ schema, to: 'us', migrations });
    const { rows } = await onDatabase(us, schema, async (client) => {
      await client.query('INSERT INTO all_kept VALUES (2)');
      return client.query('SELECT id FROM kept ORDER BY id');
    });
    expect(rows).toEqual([{ id: 1 }, { id: 2 }]);
  }, 120_000);
});
