import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { CloacinaAdmin } from '../../../lib/tenants/admin/cloacina-admin.js';
import type { MovePhase } from '../../../lib/tenants/moving/move-options.js';
import { FaultyServer } from '../../faults/server/faulty-server.js';
import { startChild, type TestChild } from '../../support/child-process.js';
import { SecondServer } from '../../support/second-server.js';
import { cases, FULL_SIZE, pairs } from '../../support/sizes.js';
import { waitFor } from '../../support/wait-for.js';
import { acceptsWrites, contentsOf, expectSame, onDatabase, stateOf } from './compare.js';
import type { Moving, MovingMessage } from './moving-process.js';
import { makeTenant } from './make-tenant.js';
import { CreateShop1700000000000, LIBRARY_ROWS, SHOP_ROWS } from './shop.js';

let eu: FaultyServer;
let us: FaultyServer | SecondServer;
beforeAll(async () => {
  [eu, us] = await Promise.all([
    FaultyServer.start(),
    // `npm test` restarts the other one.
    FULL_SIZE ? FaultyServer.start() : SecondServer.connect(),
  ]);
}, 120_000);
afterAll(() => Promise.all([eu.close(), us.close()]));

const script = new URL('moving-process.ts', import.meta.url);
const migrations = [CreateShop1700000000000];
/** In which the source has not given the tenant away, so the next call makes the move anew. */
const BEFORE_SWITCH: readonly MovePhase[] = [
  'preparing',
  'copying',
  'catchingUp',
  'stopping',
  'carrying',
];

async function makeShop(): Promise<string> {
  const schema = await makeTenant(eu.url, migrations);
  await onDatabase(eu.url, schema, (client) => client.query(SHOP_ROWS));
  await onDatabase(eu.url, schema, (client) => client.query(LIBRARY_ROWS));
  return schema;
}

function startMove(schema: string, dieAt?: MovePhase): TestChild {
  const moving: Moving = {
    schema,
    to: 'us',
    servers: { eu: eu.url, us: us.url },
    migrations: 'shop',
    ...(dieAt === undefined ? {} : { dieAt }),
  };
  return startChild(script, { env: { MOVING: JSON.stringify(moving) } });
}

const newAdmin = (): CloacinaAdmin =>
  new CloacinaAdmin({ servers: { eu: { databaseUrl: eu.url }, us: { databaseUrl: us.url } } });

/** At most one side lives. */
async function liveSides(schema: string): Promise<unknown[]> {
  const states = await Promise.all([stateOf(eu.url, schema), stateOf(us.url, schema)]);
  return states.filter((state) => state === 'live' || state === 'copying' || state === 'stopping');
}

async function expectMoved(
  schema: string,
  before: Awaited<ReturnType<typeof contentsOf>>,
): Promise<void> {
  expect(await stateOf(eu.url, schema)).toBe('moved');
  expect(await stateOf(us.url, schema)).toBe('live');
  expect(await acceptsWrites(eu.url, schema)).toBe(false);
  expect(await acceptsWrites(us.url, schema)).toBe(true);
  expectSame(await contentsOf(us.url, schema), before);
}

describe('a mover that is killed', () => {
  const phases: readonly MovePhase[] = [...BEFORE_SWITCH, 'switching', 'validating'];

  it.each(cases(phases, (phase) => phase === 'carrying'))(
    'in the phase %s: the next call ends the move',
    async (phase) => {
      const schema = await makeShop();
      const before = await contentsOf(eu.url, schema);
      const mover = startMove(schema, phase);
      expect(await mover.end()).toMatchObject({ signal: 'SIGKILL' });
      expect(mover.messages.at(-1)).toMatchObject({ phase });
      expect((await liveSides(schema)).length).toBeLessThanOrEqual(1);

      const report = await newAdmin().moveTenant({ schema, to: 'us', migrations });

      expect(report).toMatchObject({ from: 'eu', to: 'us' });
      expect(report.rows > 0).toBe(BEFORE_SWITCH.includes(phase));
      await expectMoved(schema, before);
      const { rows } = await onDatabase(us.url, schema, (client) =>
        client.query(
          `SELECT conname FROM pg_constraint WHERE connamespace = $1::regnamespace AND NOT convalidated`,
          [schema],
        ),
      );
      // Killed in the last phase, nothing is left for the next call but finishMove(), which validates too.
      if (phase !== 'validating') expect(rows).toEqual([]);
      await newAdmin().finishMove({ schema });
      expect(await stateOf(eu.url, schema)).toBeUndefined();
    },
    120_000,
  );

  it('leaves a tenant that finishMove() completes too', async () => {
    const schema = await makeShop();
    const before = await contentsOf(eu.url, schema);
    await startMove(schema, 'switching').exit;
    expect(await stateOf(us.url, schema)).toBe('arriving');
    expect(await acceptsWrites(us.url, schema)).toBe(false);
    expect(await acceptsWrites(eu.url, schema)).toBe(false);
    const { dropped } = await newAdmin().finishMove({ schema });
    expect(dropped).toEqual([`schema "${schema}" on server "eu"`]);
    expect(await stateOf(us.url, schema)).toBe('live');
    expectSame(await contentsOf(us.url, schema), before);
  }, 120_000);
});

async function restart(server: FaultyServer | SecondServer): Promise<void> {
  if (!(server instanceof FaultyServer)) throw new Error('It is the server of all test files.');
  await server.restart('immediate');
}

describe('a server that restarts', () => {
  const moments = pairs([...BEFORE_SWITCH, 'switching'], ['eu', 'us'] as const);

  it.each(cases(moments, ([phase]) => phase === 'catchingUp'))(
    'in the phase %s, %s: the move is undone or ends',
    async (phase, name) => {
      const schema = await makeShop();
      // A crash of a server empties unlogged tables, with and without a move.
      await onDatabase(eu.url, schema, (client) => client.query('TRUNCATE cloacina_task_progress'));
      const before = await contentsOf(eu.url, schema);
      const mover = startMove(schema);
      await mover.message<MovingMessage>(
        (message) => 'phase' in message && message.phase === phase,
      );
      await restart(name === 'eu' ? eu : us);
      const end = await mover.message<Extract<MovingMessage, { done: true }>>(
        (message) => 'done' in message,
      );
      await waitFor(() => liveSides(schema).then(() => true), { what: 'both servers' });
      expect((await liveSides(schema)).length).toBeLessThanOrEqual(1);
      if (end.code === 'MOVE_FAILED' && end.isUndone === true) {
        expect(await stateOf(eu.url, schema)).toBe('live');
        expect(await acceptsWrites(eu.url, schema)).toBe(true);
      }
      // A crash may take sequences forward, and nothing else.
      const after = await contentsOf(eu.url, schema);
      expectSame(after, { ...before, sequences: after.sequences });
      await newAdmin().moveTenant({ schema, to: 'us', migrations });
      await expectMoved(schema, after);
      await newAdmin().finishMove({ schema });
    },
    180_000,
  );
});
