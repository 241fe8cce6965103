import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { inAdminSession } from '../../../lib/tenants/admin/admin-session.js';
import { CloacinaAdmin } from '../../../lib/tenants/admin/cloacina-admin.js';
import { dropIncomplete, finishMove } from '../../../lib/tenants/moving/finish-move.js';
import { MoveSide } from '../../../lib/tenants/moving/move-side.js';
import { beginArriving, holdMoveLock } from '../../../lib/tenants/moving/move-state.js';
import { MoveAttempt } from '../../../lib/tenants/moving/move-tenant.js';
import { Mover } from '../../../lib/tenants/moving/mover.js';
import { prepareTarget } from '../../../lib/tenants/moving/prepare-target.js';
import { ProgressReport } from '../../../lib/tenants/moving/progress-report.js';
import {
  findTenantPlaces,
  type MoveServers,
  type TenantPlace,
} from '../../../lib/tenants/moving/tenant-places.js';
import { databaseUrl, freshSchema } from '../../support/postgres.js';
import { scratchDatabase } from '../../support/scratch-database.js';
import { SecondServer } from '../../support/second-server.js';
import { CreateNote1767225600000, PlainMove } from '../fleet/plain-move.js';
import { acceptsWrites, onDatabase, stateOf } from './compare.js';
import { makeTenant } from './make-tenant.js';

const urls = { eu: '', us: '', ap: '' };
type Server = keyof typeof urls;
const source = (server: string): { databaseUrl: string } => ({
  databaseUrl: urls[server as Server],
});
const servers: MoveServers = {
  names: ['eu', 'us', 'ap'],
  source,
  explain: async (failure) => failure as Error,
};
let us: SecondServer;
let admin: CloacinaAdmin;
beforeAll(async () => {
  urls.eu = databaseUrl();
  [urls.ap, us] = await Promise.all([scratchDatabase(), SecondServer.connect()]);
  urls.us = us.url;
  admin = new CloacinaAdmin({
    servers: Object.fromEntries(servers.names.map((name) => [name, source(name)])),
  });
}, 120_000);
afterAll(() => us.close());

const migrations = [CreateNote1767225600000];

/** A tenant with a login of its own, which may use an empty schema that is there. */
async function makeTenantWithLogin(): Promise<string> {
  const schema = freshSchema('overtaken');
  await admin.createTenant({ schema, username: `login_${schema}`, server: 'eu' });
  return schema;
}

/** What a call has found before it waits for the lock. */
async function foundLive(schema: string): Promise<TenantPlace> {
  const { live } = await findTenantPlaces(servers, schema);
  if (live === undefined) throw new Error('The tenant does not live.');
  return live;
}

const attempt = (schema: string, live: TenantPlace, dryRun = false): Promise<unknown> =>
  new MoveAttempt(servers, { schema, to: 'us', dryRun, drainMs: 5_000, migrations }, live)
    .run()
    .catch((error: unknown) => error);

const statesOf = (schema: string): Promise<(string | undefined)[]> =>
  Promise.all(servers.names.map((name) => stateOf(urls[name as Server], schema)));

/** The mover dies after the source has given the tenant away. */
async function dieAfterLeaving(schema: string, from: Server, to: Server): Promise<void> {
  const plain = await stopped(schema, from, to);
  await plain.leave();
  await plain.close();
}

/** A move whose next step is the switch. */
async function stopped(schema: string, from: Server, to: Server): Promise<PlainMove> {
  const plain = await openMove(schema, from, to);
  await plain.begin();
  await plain.stop();
  await plain.fence();
  await plain.copy();
  return plain;
}

const openMove = (schema: string, from: Server, to: Server): Promise<PlainMove> =>
  PlainMove.open(schema, { server: from, url: urls[from] }, { server: to, url: urls[to] });

describe('a mover that another one has overtaken', () => {
  it.each([true, false])(
    'leaves the tenant that was moved (dry run: %s)',
    async (dryRun) => {
      const schema = await makeTenantWithLogin();
      const found = await foundLive(schema);
      await admin.moveTenant({ schema, to: 'us' });
      expect(await attempt(schema, found, dryRun)).toMatchObject({
        code: 'MOVE_NOT_POSSIBLE',
        problems: [expect.stringContaining('Call it again.')],
      });
      expect(await statesOf(schema)).toEqual(['moved', 'live', undefined]);
      expect(await acceptsWrites(urls.us, schema)).toBe(true);
    },
    60_000,
  );

  it('leaves the copy of a source that has given the tenant away', async () => {
    const schema = await makeTenant(urls.eu, migrations);
    const found = await foundLive(schema);
    await dieAfterLeaving(schema, 'eu', 'us');
    expect(await attempt(schema, found)).toMatchObject({ code: 'MOVE_NOT_POSSIBLE' });
    expect(await statesOf(schema)).toEqual(['moved', 'arriving', undefined]);
  }, 60_000);

  it('leaves a complete tenant on the target', async () => {
    const schema = await makeTenantWithLogin();
    const username = `login_${schema}`;
    const found = await foundLive(schema);
    await new CloacinaAdmin(source('us')).createTenant({ schema, username });
    expect(await attempt(schema, found)).toMatchObject({
      code: 'MOVE_NOT_POSSIBLE',
      problems: [expect.stringContaining('has a schema of that name')],
    });
    expect(await statesOf(schema)).toEqual(['live', 'live', undefined]);
    expect(await acceptsWrites(urls.us, schema)).toBe(true);
  }, 60_000);

  it('does not turn a live schema into a copy', async () => {
    const schema = await makeTenant(urls.eu, migrations);
    const move = { schema, moveId: randomUUID(), peer: 'us' };
    expect(await onDatabase(urls.eu, schema, (client) => beginArriving(client, move))).toBe(false);
    expect(await stateOf(urls.eu, schema)).toBe('live');
    expect(await acceptsWrites(urls.eu, schema)).toBe(true);
  }, 60_000);
});

describe('finishMove()', () => {
  it('leaves the copy whose source gives the tenant away while it waits for the lock', async () => {
    const schema = await makeTenant(urls.eu, migrations);
    const plain = await stopped(schema, 'eu', 'us');
    const { live, arriving } = await findTenantPlaces(servers, schema);
    const [copy] = arriving;
    if (live === undefined || copy === undefined) throw new Error('The move has not begun.');
    await expect(dropIncomplete(servers, schema, copy, live)).rejects.toMatchObject({
      code: 'NOT_ALLOWED',
    });
    await plain.leave();
    await plain.close();

    expect(await dropIncomplete(servers, schema, copy, live)).toBeUndefined();

    expect(await statesOf(schema)).toEqual(['moved', 'arriving', undefined]);
    const { dropped } = await finishMove(servers, schema);
    expect(dropped).toEqual([`schema "${schema}" on server "eu"`]);
    expect(await statesOf(schema)).toEqual([undefined, 'live', undefined]);
  }, 60_000);

  it('drops the copy of a mover that died', async () => {
    const schema = await makeTenant(urls.eu, migrations);
    const plain = await stopped(schema, 'eu', 'us');
    await plain.close();
    const { dropped } = await finishMove(servers, schema);
    expect(dropped).toEqual([`schema "${schema}" on server "us"`]);
  }, 60_000);
});

describe('a tenant that moves on before the first move is finished', () => {
  /** From eu to us, and from there to ap, where it does not live yet. */
  async function moveOn(): Promise<string> {
    const schema = await makeTenant(urls.eu, migrations);
    await admin.moveTenant({ schema, to: 'us', migrations });
    await dieAfterLeaving(schema, 'us', 'ap');
    expect(await statesOf(schema)).toEqual(['moved', 'moved', 'arriving']);
    return schema;
  }

  it('is completed by the next call of the move', async () => {
    const schema = await moveOn();
    expect(await admin.moveTenant({ schema, to: 'ap', migrations })).toMatchObject({ from: 'us' });
    expect(await statesOf(schema)).toEqual(['moved', 'moved', 'live']);
  }, 60_000);

  it('is completed by finishMove(), which drops what both moves have left', async () => {
    const schema = await moveOn();
    expect((await admin.finishMove({ schema })).dropped).toEqual([
      `schema "${schema}" on server "eu"`,
      `schema "${schema}" on server "us"`,
    ]);
    expect(await statesOf(schema)).toEqual([undefined, undefined, 'live']);
  }, 60_000);
});

describe('a schema whose tenant is between two servers', () => {
  it.each([undefined, 'ap'])(
    'is not made anew on a third one (server: %s)',
    async (server) => {
      const schema = await makeTenant(urls.eu, migrations);
      await dieAfterLeaving(schema, 'eu', 'us');
      const username = `login_${schema}`;
      const wanted = server === undefined ? {} : { server };
      await expect(admin.createTenant({ schema, username, ...wanted })).rejects.toMatchObject({
        code: 'NOT_ALLOWED',
        message: expect.stringContaining('a move of the tenant is not complete'),
      });
      expect(await statesOf(schema)).toEqual(['moved', 'arriving', undefined]);
    },
    60_000,
  );

  it('is not dropped by finishMove() for another tenant of the name', async () => {
    const schema = await makeTenant(urls.eu, migrations);
    await dieAfterLeaving(schema, 'eu', 'us');
    await new CloacinaAdmin(source('ap')).createTenant({ schema, username: `login_${schema}` });
    await expect(admin.finishMove({ schema })).rejects.toMatchObject({ code: 'NOT_ALLOWED' });
    expect(await statesOf(schema)).toEqual(['moved', 'arriving', 'live']);
  }, 60_000);

  it('leaves places that finishMove() drops from the first one on', async () => {
    const schema = await makeTenant(urls.ap, migrations);
    await admin.moveTenant({ schema, to: 'eu', migrations });
    await admin.moveTenant({ schema, to: 'us', migrations });
    expect((await admin.finishMove({ schema })).dropped).toEqual([
      `schema "${schema}" on server "ap"`,
      `schema "${schema}" on server "eu"`,
    ]);
    expect(await statesOf(schema)).toEqual([undefined, 'live', undefined]);
  }, 60_000);
});

describe('a migration between the comparison of the schemas and the copying', () => {
  it('undoes the move, which would carry half of it', async () => {
    const schema = await makeTenant(urls.eu, migrations);
    const moveId = randomUUID();
    const from = new MoveSide({ server: 'eu', source: source('eu'), moveId, peer: 'us' });
    const to = new MoveSide({ server: 'us', source: source('us'), moveId, peer: 'eu' });
    try {
      const control = await from.connect();
      await holdMoveLock(control, schema);
      const { catalog } = await inAdminSession(source('us'), (there) =>
        prepareTarget({
          places: { schema, from: 'eu', to: 'us' },
          moveId,
          from,
          to,
          control,
          there,
          migrations,
          login: undefined,
          isIsolated: false,
        }),
      );
      await onDatabase(urls.eu, schema, (client) => client.query('CREATE INDEX ON note (text)'));
      const progress = new ProgressReport(undefined);
      const parts = { from, to, control, schema, catalog, moveId, drainMs: 5_000, progress };
      await expect(new Mover(parts).run()).rejects.toThrow('the schema was changed');
      expect(await statesOf(schema)).toEqual(['stopping', 'arriving', undefined]);
    } finally {
      from.close();
      to.close();
    }
  }, 60_000);
});
