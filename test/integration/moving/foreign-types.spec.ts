import { beforeAll, expect, it } from '@jest/globals';
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { CloacinaAdmin } from '../../../lib/tenants/admin/cloacina-admin.js';
import { connectAdmin } from '../../support/postgres.js';
import { scratchDatabase } from '../../support/scratch-database.js';
import { contentsOf, expectSame, onDatabase } from './compare.js';
import { makeTenant } from './make-tenant.js';

let eu = '';
let us = '';
let admin: CloacinaAdmin;

/**
 * As an extension makes them: a type of a schema of its own, with operators there. Nothing casts it to another type, as with `ltree`.
 */
const CODE_TYPE = `
  CREATE SCHEMA extensions;
  CREATE TYPE extensions.code;
  CREATE FUNCTION extensions.code_in(cstring) RETURNS extensions.code LANGUAGE internal IMMUTABLE STRICT AS 'byteain';
  CREATE FUNCTION extensions.code_out(extensions.code) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'byteaout';
  CREATE TYPE extensions.code (INPUT = extensions.code_in, OUTPUT = extensions.code_out, STORAGE = extended);
  CREATE FUNCTION extensions.code_lt(extensions.code, extensions.code) RETURNS boolean LANGUAGE internal IMMUTABLE STRICT AS 'bytealt';
  CREATE FUNCTION extensions.code_eq(extensions.code, extensions.code) RETURNS boolean LANGUAGE internal IMMUTABLE STRICT AS 'byteaeq';
  CREATE FUNCTION extensions.code_gt(extensions.code, extensions.code) RETURNS boolean LANGUAGE internal IMMUTABLE STRICT AS 'byteagt';
  CREATE FUNCTION extensions.code_cmp(extensions.code, extensions.code) RETURNS integer LANGUAGE internal IMMUTABLE STRICT AS 'byteacmp';
  CREATE OPERATOR extensions.< (FUNCTION = extensions.code_lt, LEFTARG = extensions.code, RIGHTARG = extensions.code);
  CREATE OPERATOR extensions.= (FUNCTION = extensions.code_eq, LEFTARG = extensions.code, RIGHTARG = extensions.code);
  CREATE OPERATOR extensions.> (FUNCTION = extensions.code_gt, LEFTARG = extensions.code, RIGHTARG = extensions.code);
  CREATE OPERATOR CLASS extensions.code_ops DEFAULT FOR TYPE extensions.code USING btree AS
    OPERATOR 1 extensions.<, OPERATOR 3 extensions.=, OPERATOR 5 extensions.>,
    FUNCTION 1 extensions.code_cmp(extensions.code, extensions.code);
  CREATE EXTENSION citext SCHEMA public`;

beforeAll(async () => {
  [eu, us] = await Promise.all([scratchDatabase(), scratchDatabase()]);
  for (const url of [eu, us]) {
    const client = await connectAdmin(url);
    await client.query(CODE_TYPE);
    await client.end();
  }
  admin = new CloacinaAdmin({ servers: { eu: { databaseUrl: eu }, us: { databaseUrl: us } } });
});

class CreateCodes1700000000000 implements MigrationInterface {
  readonly name = 'CreateCodes1700000000000';
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      CREATE DOMAIN short AS varchar(20);
      CREATE TYPE kind AS ENUM ('a', 'b');
      CREATE TABLE coded (code extensions.code, kind kind, short short, note text, PRIMARY KEY (kind, code, short));
      CREATE TABLE person (name public.citext PRIMARY KEY, note text)`);
  }
  async down(): Promise<void> {}
}
const migrations = [CreateCodes1700000000000];

const ROWS = `
  INSERT INTO coded SELECT ('code ' || n)::extensions.code, 'a', 's', 'old' FROM generate_series(1, 20) n;
  INSERT INTO person SELECT 'Person ' || n, 'old' FROM generate_series(1, 20) n`;
const CHANGES = `
  UPDATE coded SET note = 'new' WHERE code::text IN (SELECT ('code ' || n)::extensions.code::text FROM generate_series(1, 5) n);
  DELETE FROM coded WHERE ctid IN (SELECT ctid FROM coded ORDER BY code::text DESC LIMIT 3);
  UPDATE person SET name = upper(name) WHERE name = 'Person 3';
  DELETE FROM person WHERE name = 'person 4'`;

it('a move carries changes of tables whose keys have types of another schema', async () => {
  const schema = await makeTenant(eu, migrations);
  await onDatabase(eu, schema, (client) => client.query(ROWS));
  let changing: Promise<unknown> | undefined;
  const holder = await connectAdmin(eu);
  await holder.query(`BEGIN; LOCK TABLE ${schema}.cloacina_state IN ROW EXCLUSIVE MODE`);
  await admin.moveTenant({
    schema,
    to: 'us',
    migrations,
    onProgress: ({ phase }) => {
      if (phase === 'catchingUp')
        changing ??= onDatabase(eu, schema, (client) => client.query(CHANGES)).finally(
          () => void holder.end(),
        );
    },
  });
  await changing;
  const before = await contentsOf(eu, schema);
  expect(before.rows['coded']).toHaveLength(17);
  expect(before.rows['person']).toHaveLength(19);
  expectSame(await contentsOf(us, schema), before);
}, 60_000);
