import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { CloacinaTenants } from '../../../lib/tenants/hosting/cloacina-tenants.js';
import { databaseUrl } from '../../support/postgres.js';
import { scratchDatabase } from '../../support/scratch-database.js';
import { waitFor } from '../../support/wait-for.js';
import { PlainMove } from '../fleet/plain-move.js';
import { Served } from './served.js';

/** A name that is in no other text. */
const PEER = 'elsewhere-7';

const WORLD: Readonly<Record<string, readonly string[] | 'all'>> = {
  ann: ['acme'],
  gus: ['acme', 'globex'],
  root: 'all',
};

let served: Served;
let move: PlainMove;
beforeAll(async () => {
  const [here, there] = [databaseUrl(), await scratchDatabase()];
  served = await Served.start(
    'Express',
    {
      path: 'ops/cloacina',
      tenants: ({ headers }) => WORLD[String(headers['x-user'])] ?? [],
    },
    [],
    undefined,
    undefined,
    { north: { databaseUrl: here }, [PEER]: { databaseUrl: there } },
  );
  const { schema } = served.app.get(CloacinaTenants).get('acme');
  const ends = [
    { server: 'north', url: here },
    { server: PEER, url: there },
  ] as const;
  move = await PlainMove.open(schema, ...ends);
}, 120_000);
afterAll(async () => {
  await move?.close();
  await served?.app.close();
});

const tenant = async (user: string) => (await served.get('/api/tenants/acme', user)).body;

/** The answers that are about the tenant, as text. */
async function all(user: string): Promise<string> {
  const urls = ['/api/tenants/acme', '/api/tenants', '/api/overview', '/api/session'];
  const answers = await Promise.all(urls.map((url) => served.get(url, user)));
  const event = await served.event('/api/events', ({ type, data }) =>
    type === 'overview' ? JSON.stringify(data) : undefined,
  );
  return answers.map(({ text }) => text).join() + event;
}

it('a move is told with the other server to those who see that, and a stream tells when it begins', async () => {
  expect(await tenant('root')).toMatchObject({ tenant: 'acme', server: 'north' });
  expect(await tenant('root')).not.toHaveProperty('move');
  expect(await tenant('stranger')).toMatchObject({ status: 404, code: 'NOT_FOUND' });
  const told = served.event('/api/events', ({ type, data }) =>
    type === 'overview' && data.busiest[0].move?.state === 'copying' ? data : undefined,
  );
  await move.begin();
  await told;
  for (const user of ['ann', 'gus', 'root']) {
    expect(await tenant(user)).toMatchObject({
      server: 'north',
      move: { state: 'copying', isInterrupted: false, since: expect.any(String) },
    });
    expect((await tenant(user)).move.peer).toBe(user === 'root' ? PEER : undefined);
  }
  expect(await tenant('root')).not.toHaveProperty('problem');
  for (const user of ['ann', 'gus']) expect(await all(user)).not.toContain(PEER);
  expect(await all('root')).toContain(PEER);
});

it('an interrupted move is a problem, which says what to do', async () => {
  await move.stop(600_000);
  await waitFor(async () => (await tenant('root')).move.state === 'stopping');
  expect((await tenant('root')).move.undoneAt).toEqual(expect.any(String));
  await move.close();
  await waitFor(async () => (await tenant('root')).move.isInterrupted === true);
  const { problem } = await tenant('root');
  expect(problem).toContain(`Its move to server "${PEER}" was interrupted, and it stands still.`);
  expect((await served.get('/api/overview', 'root')).body).toMatchObject({ inTrouble: 1 });
  expect((await tenant('ann')).problem).toContain('Its move to another server was interrupted');
  for (const user of ['ann', 'gus']) expect(await all(user)).not.toContain(PEER);
});
