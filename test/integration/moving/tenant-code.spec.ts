import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type pg from 'pg';
import type { CloacinaAdmin } from '../../../lib/tenants/admin/cloacina-admin.js';
import { copyTenantRow } from '../../../lib/tenants/moving/tenant-places.js';
import { freshSchema } from '../../support/postgres.js';
import { onDatabase, stateOf } from './compare.js';
import { twoServers, type TwoServers } from './two-servers.js';

let [eu, us] = ['', ''];
let servers: TwoServers;
let admin: CloacinaAdmin;
beforeAll(async () => {
  servers = await twoServers();
  [eu, us, admin] = [servers.eu.url, servers.us.url, servers.admin];
}, 120_000);
afterAll(() => servers.us.close());

/** Code of the tenant, which notes with whose rights it runs. */
const SPY = `
  CREATE TABLE seen (name text);
  CREATE FUNCTION spy() RETURNS boolean LANGUAGE plpgsql AS $$
    BEGIN INSERT INTO SCHEMA.seen VALUES (current_user); RETURN true; END $$;
  CREATE FUNCTION spy_trigger() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN PERFORM SCHEMA.spy(); RETURN NEW; END $$;`;

type Work = (client: pg.Client) => Promise<unknown>;

/** A tenant with a login, and a function that sends statements with that login. */
async function makeTenant(): Promise<{
  readonly schema: string;
  readonly username: string;
  readonly asTenant: (url: string, work: string | Work) => Promise<unknown>;
}> {
  const schema = freshSchema('hostile');
  const username = `login_${schema}`;
  const { connectionString } = await admin.createTenant({ schema, username, server: 'eu' });
  const asTenant = (to: string, work: string | Work): Promise<unknown> => {
    const url = new URL(to);
    url.username = username;
    url.password = new URL(connectionString).password;
    return onDatabase(url.href, schema, (client) =>
      typeof work === 'string' ? client.query(work.replaceAll('SCHEMA', schema)) : work(client),
    );
  };
  return { schema, username, asTenant };
}

async function seen(url: string, schema: string): Promise<string[]> {
  const { rows } = await onDatabase(url, schema, (client) =>
    client.query<{ name: string }>('SELECT DISTINCT name FROM seen'),
  );
  return rows.map(({ name }) => name);
}

describe('the code of a tenant does not run with the rights of the login that moves it', () => {
  it('if the tenant has put a view in place of its state', async () => {
    const { schema, asTenant } = await makeTenant();
    await asTenant(
      eu,
      `${SPY} ALTER TABLE cloacina_tenant RENAME TO real_state;
       CREATE VIEW cloacina_tenant AS SELECT * FROM real_state WHERE spy()`,
    );
    const dryRun = admin.moveTenant({ schema, to: 'us', dryRun: true });
    await expect(dryRun).rejects.toThrow('"cloacina_tenant" is not a table');
    await expect(admin.finishMove({ schema })).rejects.toThrow('is not a table');
    expect(await seen(eu, schema)).toEqual([]);
  }, 120_000);

  it('if the tenant has put a trigger on its state before the switch is completed', async () => {
    const { schema, username, asTenant } = await makeTenant();
    await admin.moveTenant({ schema, to: 'us' });
    const moveId = await onDatabase(eu, schema, async (client) => {
      const row = await copyTenantRow(client, schema);
      expect(row).toMatchObject({ state: 'moved', peer: 'us' });
      return row?.moveId ?? '';
    });
    await asTenant(us, (client) =>
      client.query(`UPDATE cloacina_tenant SET state = 'arriving', move_id = $1, peer = 'eu'`, [
        moveId,
      ]),
    );
    await asTenant(
      us,
      `${SPY} CREATE TRIGGER spy BEFORE UPDATE ON cloacina_tenant FOR EACH ROW EXECUTE FUNCTION spy_trigger()`,
    );
    expect(await admin.moveTenant({ schema, to: 'us' })).toMatchObject({ from: 'eu', to: 'us' });
    expect(await stateOf(us, schema)).toBe('live');
    expect(await seen(us, schema)).toEqual([username]);
  }, 120_000);
});
