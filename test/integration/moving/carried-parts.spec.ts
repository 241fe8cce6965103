import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { MigrationInterface, QueryRunner } from 'typeorm';
import type { CloacinaAdmin } from '../../../lib/tenants/admin/cloacina-admin.js';
import type { MovePhase } from '../../../lib/tenants/moving/move-options.js';
import { moveTenant } from '../../../lib/tenants/moving/move-tenant.js';
import { freshSchema } from '../../support/postgres.js';
import { onDatabase, stateOf } from './compare.js';
import { makeTenant } from './make-tenant.js';
import { LIBRARY_ROWS } from './shop.js';
import { twoServers, type TwoServers } from './two-servers.js';

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

let [eu, us] = ['', ''];
let servers: TwoServers;
let admin: CloacinaAdmin;
beforeAll(async () => {
  servers = await twoServers();
  [eu, us, admin] = [servers.eu.url, servers.us.url, servers.admin];
}, 120_000);
afterAll(() => servers.us.close());

describe('a move', () => {
  it('carries a view with a trigger', async () => {
    const schema = await makeTenant(eu, migrations);
    await onDatabase(eu, schema, (client) => client.query('INSERT INTO all_kept VALUES (1)'));
    await admin.moveTenant({ schema, to: 'us', migrations });
    const { rows } = await onDatabase(us, schema, async (client) => {
      await client.query('INSERT INTO all_kept VALUES (2)');
      return client.query('SELECT id FROM kept ORDER BY id');
    });
    expect(rows).toEqual([{ id: 1 }, { id: 2 }]);
  }, 120_000);

  it('ends the leases of lost processes by the clock of the new server', async () => {
    const schema = await makeTenant(eu, migrations);
    await onDatabase(eu, schema, (client) => client.query(LIBRARY_ROWS));
    await onDatabase(eu, schema, (client) =>
      client.query(
        `INSERT INTO cloacina_runner_lease (instance_id, process_id, name, expires_at)
           VALUES (md5('owner')::uuid, md5('process')::uuid, 'host 7', '2000-01-01Z');
         INSERT INTO cloacina_claim_batch VALUES (md5('owner')::uuid, 1, ARRAY[md5('5')::uuid], '{0}', '{0}');
         UPDATE cloacina_task_execution SET status = 'Running', owner = md5('owner')::uuid
          WHERE execution_id = md5('5')::uuid AND task_no = 0`,
      ),
    );
    await admin.moveTenant({ schema, to: 'us', migrations });
    const { rows } = await onDatabase(us, schema, (client) =>
      client.query(
        `SELECT l.name, b.task_nos, l.expires_at BETWEEN clock_timestamp() - interval '1 hour' AND clock_timestamp() AS ended
           FROM cloacina_runner_lease l JOIN cloacina_claim_batch b USING (instance_id)`,
      ),
    );
    expect(rows).toEqual([{ name: 'host 7', task_nos: [0], ended: true }]);
  }, 120_000);

  it('does not stop a tenant whose changes an old transaction keeps from getting fewer', async () => {
    const schema = await makeTenant(eu, migrations);
    const phases = new Set<MovePhase>();
    await onDatabase(eu, schema, async (old) => {
      await old.query('BEGIN');
      await old.query('SELECT pg_current_xact_id()');
      const moving = moveTenant(
        {
          names: ['eu', 'us'],
          source: (name) => ({ databaseUrl: name === 'eu' ? eu : us }),
          explain: async (failure) => failure as Error,
        },
        {
          schema,
          to: 'us',
          migrations,
          dryRun: false,
          drainMs: 500,
          maxRoundMs: 0,
          onProgress: ({ phase }) => void phases.add(phase),
        },
      );
      await expect(moving).rejects.toMatchObject({
        code: 'MOVE_FAILED',
        isUndone: true,
        // Another one of this server may be older.
        message: expect.stringMatching(/took 1 s to copy.*: end process \d+ of database "/),
      });
    });
    expect([...phases]).toEqual(['preparing', 'copying', 'catchingUp']);
    expect(await stateOf(eu, schema)).toBe('live');
  }, 120_000);

  it('finds that the role may not make temporary tables', async () => {
    const schema = freshSchema('temporary');
    const username = `login_${schema}`;
    await admin.createTenant({ schema, username, server: 'eu' });
    const database = decodeURIComponent(new URL(us).pathname.slice(1));
    await servers.us.query(`REVOKE TEMPORARY ON DATABASE "${database}" FROM PUBLIC`);
    try {
      await expect(admin.moveTenant({ schema, to: 'us' })).rejects.toMatchObject({
        code: 'MOVE_NOT_POSSIBLE',
        problems: [
          expect.stringMatching(
            new RegExp(`the role ${username} may not make temporary tables.* GRANT TEMPORARY ON`),
          ),
        ],
      });
    } finally {
      await servers.us.query(`GRANT TEMPORARY ON DATABASE "${database}" TO PUBLIC`);
    }
    expect(await stateOf(us, schema)).toBeUndefined();
    await admin.moveTenant({ schema, to: 'us' });
  }, 120_000);
});
