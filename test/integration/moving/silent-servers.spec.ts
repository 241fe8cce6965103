import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { inAdminSession } from '../../../lib/tenants/admin/admin-session.js';
import { MoveSide } from '../../../lib/tenants/moving/move-side.js';
import { moveTenant } from '../../../lib/tenants/moving/move-tenant.js';
import { databaseUrl } from '../../support/postgres.js';
import { SecondServer } from '../../support/second-server.js';
import { waitFor } from '../../support/wait-for.js';
import { acceptsWrites, onDatabase, stateOf } from './compare.js';
import { makeTenant } from './make-tenant.js';
import { CreateShop1700000000000, LIBRARY_ROWS } from './shop.js';

let eu = '';
let us: SecondServer;
beforeAll(async () => {
  eu = databaseUrl();
  us = await SecondServer.connect();
}, 120_000);
afterAll(() => us.close());

const migrations = [CreateShop1700000000000];

describe('a server that goes silent', () => {
  it('does not keep the tenant stopped: the move is undone', async () => {
    const schema = await makeTenant(eu, migrations);
    await onDatabase(eu, schema, (client) => client.query(LIBRARY_ROWS));
    let isSilent = false;
    const moving = moveTenant(
      {
        names: ['eu', 'us'],
        source: (server) => ({ databaseUrl: server === 'eu' ? eu : us.url }),
        explain: async (failure) => failure as Error,
      },
      {
        schema,
        to: 'us',
        migrations,
        dryRun: false,
        drainMs: 500,
        stopBoundMs: 1_500,
        onProgress: ({ phase }) => {
          if (phase !== 'carrying' || isSilent) return;
          isSilent = true;
          us.silence();
        },
      },
    );
    const undone = expect(moving).rejects.toMatchObject({
      code: 'MOVE_FAILED',
      isUndone: true,
      message: expect.stringContaining('the tenant was stopped for more than 2 s'),
    });
    await waitFor(() => isSilent);
    await waitFor(async () => (await stateOf(eu, schema)) === 'live');
    expect(await acceptsWrites(eu, schema)).toBe(true);
    // As the server does once no keepalive is answered. The proxy answers them.
    await us.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND application_name LIKE 'cloacina-%' AND pid <> pg_backend_pid()`,
    );
    await undone;
    expect(await stateOf(us.directUrl, schema)).toBeUndefined();
  }, 120_000);

  it('ends the sessions of a mover that is gone', async () => {
    const source = { databaseUrl: us.url };
    const side = new MoveSide({ server: 'us', source, moveId: 'm', peer: 'eu' });
    const migrating = new pg.Client(side.migrationConfig());
    await migrating.connect();
    const expectSettings = async (client: pg.Client): Promise<void> => {
      const { rows } = await client.query<{ name: string; setting: string }>(
        `SELECT name, setting FROM pg_settings WHERE name LIKE 'tcp_%' ORDER BY name`,
      );
      expect(rows.map(({ name, setting }) => `${name} ${setting}`)).toEqual([
        'tcp_keepalives_count 3',
        'tcp_keepalives_idle 5',
        'tcp_keepalives_interval 2',
        'tcp_user_timeout 15000',
      ]);
    };
    await expectSettings(await side.connect());
    await expectSettings(migrating);
    await inAdminSession(source, ({ client }) => expectSettings(client));
    side.close();
    await migrating.end();
  }, 60_000);
});
