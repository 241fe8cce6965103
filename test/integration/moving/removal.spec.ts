import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { CloacinaAdmin } from '../../../lib/tenants/admin/cloacina-admin.js';
import type { MovePhase } from '../../../lib/tenants/moving/move-options.js';
import { startChild } from '../../support/child-process.js';
import { runCli } from '../../support/run-cli.js';
import { cases } from '../../support/sizes.js';
import { onDatabase, stateOf } from './compare.js';
import { makeTenant } from './make-tenant.js';
import type { Moving } from './moving-process.js';
import { CreateShop1700000000000 } from './shop.js';
import { twoServers, type TwoServers } from './two-servers.js';

const PHASES: readonly MovePhase[] = [
  'preparing',
  'copying',
  'catchingUp',
  'stopping',
  'carrying',
  'switching',
  'validating',
];
const migrations = [CreateShop1700000000000];

let { eu, us, admin } = {} as TwoServers;
beforeAll(async () => {
  ({ eu, us, admin } = await twoServers());
}, 120_000);
afterAll(() => us.close());

/** The servers that have the schema. */
async function holders(schema: string): Promise<string[]> {
  const found: string[] = [];
  for (const [name, server] of Object.entries({ eu, us })) {
    const rows = await server.query('SELECT FROM pg_namespace WHERE nspname = $1', [schema]);
    if (rows.length > 0) found.push(name);
  }
  return found;
}

/** A tenant whose mover has died in that phase. */
async function interrupted(phase: MovePhase): Promise<string> {
  const schema = await makeTenant(eu.url, migrations);
  const moving: Moving = {
    schema,
    to: 'us',
    servers: { eu: eu.url, us: us.url },
    migrations: 'shop',
    dieAt: phase,
  };
  const mover = startChild(new URL('moving-process.ts', import.meta.url), {
    env: { MOVING: JSON.stringify(moving) },
  });
  expect(await mover.exit).toMatchObject({ signal: 'SIGKILL' });
  return schema;
}

/** What doctor finds about the moves of a schema. */
async function foundByDoctor(schema: string): Promise<unknown[]> {
  const { json } = await runCli(['doctor', '--check', 'unfinished-move', '--json'], {
    env: { CLOACINA_SERVERS: `eu=${eu.url},us=${us.url}` },
  });
  const { servers } = json<{ servers: { findings: { readonly detail: string }[] }[] }>();
  return servers
    .flatMap(({ findings }) => findings)
    .filter(({ detail }) => detail.includes(schema));
}

describe('removeTenant() of a tenant whose mover has died', () => {
  // In the first phase, the mover has made nothing yet.
  const phases = PHASES.slice(1);

  it.each(cases(phases, (phase) => phase === 'copying' || phase === 'switching'))(
    'in the phase %s is refused, until the move is finished or undone',
    async (phase) => {
      const schema = await interrupted(phase);
      expect(await foundByDoctor(schema)).not.toEqual([]);
      const states = await Promise.all([stateOf(eu.url, schema), stateOf(us.url, schema)]);
      for (const server of [undefined, 'eu', 'us']) {
        const removal = admin.removeTenant({ schema, ...(server === undefined ? {} : { server }) });
        await expect(removal).rejects.toMatchObject({
          code: 'NOT_ALLOWED',
          message: expect.stringContaining('Call finishMove() first'),
        });
      }
      expect(await Promise.all([stateOf(eu.url, schema), stateOf(us.url, schema)])).toEqual(states);

      await admin.finishMove({ schema });
      expect(await foundByDoctor(schema)).toEqual([]);
      const isOver = phase === 'switching' || phase === 'validating';
      expect(await holders(schema)).toEqual([isOver ? 'us' : 'eu']);
      expect(await stateOf((isOver ? us : eu).url, schema)).toBe('live');
      expect(await admin.removeTenant({ schema })).toEqual({ dropped: [`schema "${schema}"`] });
      expect(await holders(schema)).toEqual([]);
    },
    120_000,
  );

  it.each(cases(phases, (phase) => phase === 'carrying'))(
    'in the phase %s removes all of it with duringMove',
    async (phase) => {
      const schema = await interrupted(phase);
      await admin.removeTenant({ schema, duringMove: true });
      expect(await holders(schema)).toEqual([]);
    },
    120_000,
  );

  it('is refused by an admin that knows one server only', async () => {
    const schema = await interrupted('copying');
    for (const url of [eu.url, us.url]) {
      const one = new CloacinaAdmin({ databaseUrl: url });
      await expect(one.removeTenant({ schema })).rejects.toMatchObject({ code: 'NOT_ALLOWED' });
    }
    const env = { CLOACINA_SERVERS: `eu=${eu.url},us=${us.url}` };
    const refused = await runCli(['tenants', 'remove', schema, '--yes'], { env });
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('not allowed') });
    const removed = await runCli(['tenants', 'remove', schema, '--yes', '--during-move'], { env });
    expect(removed).toMatchObject({ code: 0 });
    expect(await holders(schema)).toEqual([]);
  }, 120_000);
});

it('removeTenant() is refused while a tenant moves, in each phase, and the move ends', async () => {
  const schema = await makeTenant(eu.url, migrations);
  await onDatabase(eu.url, schema, (client) =>
    client.query(`INSERT INTO line SELECT 'line ' || n, NULL FROM generate_series(1, 20) n`),
  );
  const removals = new Map<MovePhase, Promise<unknown>>();
  await admin.moveTenant({
    schema,
    to: 'us',
    migrations,
    onProgress: ({ phase }) => {
      if (removals.has(phase)) return;
      removals.set(
        phase,
        admin.removeTenant({ schema }).catch((error: unknown) => error),
      );
    },
  });
  expect([...removals.keys()]).toEqual(PHASES);
  for (const [phase, removal] of removals)
    expect({ phase, error: await removal }).toMatchObject({
      phase,
      error: { code: 'NOT_ALLOWED' },
    });
  expect(await stateOf(us.url, schema)).toBe('live');
  const { rows } = await onDatabase(us.url, schema, (client) => client.query('SELECT FROM line'));
  expect(rows).toHaveLength(20);
}, 120_000);
