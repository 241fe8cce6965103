import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { CloacinaAdmin } from '../../../lib/tenants/admin/cloacina-admin.js';
import { FaultyServer } from '../../faults/server/faulty-server.js';
import { waitFor } from '../../support/wait-for.js';
import { onDatabase } from './compare.js';
import { makeTenant } from './make-tenant.js';

let ahead: FaultyServer;
let behind: FaultyServer;
let admin: CloacinaAdmin;
beforeAll(async () => {
  [ahead, behind] = await Promise.all([FaultyServer.start(), FaultyServer.start()]);
  admin = new CloacinaAdmin({
    servers: { ahead: { databaseUrl: ahead.url }, behind: { databaseUrl: behind.url } },
  });
  // Each is a transaction of its own, with an id: far more than the test has transactions.
  const client = await ahead.admin();
  await client.query(
    `SET synchronous_commit TO off;
     CREATE PROCEDURE use_ids() LANGUAGE plpgsql AS $$
       BEGIN FOR n IN 1..5000 LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$`,
  );
  await client.query('CALL use_ids()');
  await client.end();
}, 120_000);
afterAll(() => Promise.all([ahead.close(), behind.close()]));

const EVENT = `INSERT INTO cloacina_execution_event (execution_id, kind, detail) VALUES (gen_random_uuid(), 'end', '{"no": NUMBER}')`;

/**
 * Events as a reader sees them that must not miss any: those of all transactions that have ended, in their order. It waits for that
 * many, because a transaction of the server itself may be open.
 */
async function read(
  server: FaultyServer,
  schema: string,
  count: number,
  after = '(0, 0)',
): Promise<number[]> {
  let numbers: number[] = [];
  await waitFor(
    async () => {
      numbers = await readOnce(server, schema, after);
      return numbers.length >= count;
    },
    { what: `${count} events`, every: 50, deadline: 10_000 },
  );
  return numbers;
}

function readOnce(server: FaultyServer, schema: string, after: string): Promise<number[]> {
  return onDatabase(server.url, schema, async (client) => {
    const { rows } = await client.query<{ no: number }>(
      `SELECT (detail->>'no')::integer AS no FROM cloacina_execution_event
        WHERE xid < pg_snapshot_xmin(pg_current_snapshot()) AND (xid::text::numeric, id) > ${after}
        ORDER BY xid, id`,
    );
    return rows.map(({ no }) => no);
  });
}

async function add(server: FaultyServer, schema: string, ...numbers: number[]): Promise<void> {
  await onDatabase(server.url, schema, async (client) => {
    for (const no of numbers) await client.query(EVENT.replace('NUMBER', String(no)));
  });
}

/** The position of the last event. */
function position(server: FaultyServer, schema: string): Promise<string> {
  return onDatabase(server.url, schema, async (client) => {
    const { rows } = await client.query<{ at: string }>(
      `SELECT format('(%s, %s)', xid, id) AS at FROM cloacina_execution_event ORDER BY xid DESC, id DESC LIMIT 1`,
    );
    return rows[0]?.at ?? '';
  });
}

it.each([
  ['far behind', () => [ahead, behind] as const, 'behind'],
  ['far ahead', () => [behind, ahead] as const, 'ahead'],
])(
  'a move to a server whose transaction ids are %s keeps events in their order, and later ones after them',
  async (_, servers, to) => {
    const [from, target] = servers();
    const schema = await makeTenant(from.url, []);
    await add(from, schema, 1, 2, 3);
    let during: Promise<void> | undefined;
    // The old server accepts writes until it is released.
    const holder = await from.admin();
    await holder.query(`BEGIN; LOCK TABLE ${schema}.cloacina_state IN ROW EXCLUSIVE MODE`);
    await admin.moveTenant({
      schema,
      to,
      onProgress: ({ phase }) => {
        if (phase === 'catchingUp')
          during ??= add(from, schema, 4, 5).finally(() => void holder.end());
      },
    });
    await during;
    expect(await read(target, schema, 5)).toEqual([1, 2, 3, 4, 5]);
    const at = await position(target, schema);
    await add(target, schema, 6);
    expect(await read(target, schema, 6)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(await read(target, schema, 1, at)).toEqual([6]);
  },
  120_000,
);
