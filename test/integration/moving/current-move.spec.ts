import { beforeAll, describe, expect, it } from '@jest/globals';
import { CloacinaModule } from '../../../lib/cloacina.module.js';
import { CloacinaAdmin } from '../../../lib/tenants/admin/cloacina-admin.js';
import type { ListedTenant } from '../../../lib/tenants/admin/admin-options.js';
import type { CurrentMove } from '../../../lib/tenants/hosting/current-move.js';
import { freshSchema } from '../../support/postgres.js';
import { rowsOf, scratchDatabase } from '../../support/scratch-database.js';
import { waitFor } from '../../support/wait-for.js';
import { move, PlainMove, type End } from '../fleet/plain-move.js';
import { start, type Application } from '../tenants/application.js';

let eu: End;
let us: End;
beforeAll(async () => {
  const [first, second] = await Promise.all([scratchDatabase(), scratchDatabase()]);
  eu = { server: 'eu', url: first };
  us = { server: 'us', url: second };
}, 120_000);

const servers = () => ({ eu: { databaseUrl: eu.url }, us: { databaseUrl: us.url } });

function serve(schema: string): Promise<Application> {
  return start([], {
    shared: { databaseUrl: undefined, servers: servers() },
    imports: [CloacinaModule.forTenant({ schema, server: 'eu' })],
  });
}

/** The move as each of the two servers shows it. */
async function listed(schema: string): Promise<Record<string, ListedTenant['move']>> {
  const all = await new CloacinaAdmin({ servers: servers() }).listTenants();
  const its = all.filter((one) => one.schema === schema);
  return Object.fromEntries(its.map((one) => [one.server, one.move]));
}

describe('the move of a tenant', () => {
  it('has a state, and an interruption that is known on both servers', async () => {
    const schema = freshSchema('current');
    const { tenants } = await serve(schema);
    expect(await tenants.currentMove(schema)).toBeNull();
    const steps = await PlainMove.open(schema, eu, us);
    const since = expect.any(Date) as unknown as Date;
    try {
      await steps.begin();
      const copying = { state: 'copying', peer: 'us', since, isInterrupted: false } as const;
      const arriving = { state: 'arriving', peer: 'eu', since, isInterrupted: false } as const;
      expect(await tenants.currentMove(schema)).toEqual(copying);
      expect(await listed(schema)).toEqual({ eu: copying, us: arriving });
      const [row] = await rowsOf<{ at: Date }>(
        eu.url,
        `SELECT changed_at AS at FROM ${schema}.cloacina_tenant`,
      );
      const moves = [await tenants.currentMove(schema), (await listed(schema))['eu']];
      for (const one of moves) expect(Math.abs(+one!.since - +row!.at)).toBeLessThan(1);
      await steps.stop(600_000);
      expect(await tenants.currentMove(schema)).toEqual({
        ...copying,
        state: 'stopping',
        undoneAt: expect.any(Date),
      });
    } finally {
      await steps.close();
    }
    // The server ends the session of the mover on its own.
    await waitFor(async () => (await tenants.currentMove(schema))?.isInterrupted === true);
    expect(await listed(schema)).toMatchObject({
      eu: { state: 'stopping', isInterrupted: true },
      us: { state: 'arriving', isInterrupted: true },
    });
    // As the advice of an interrupted move says.
    await tenants.move(schema, { to: 'us' });
    await waitFor(async () => (await tenants.currentMove(schema)) === null);
    expect(await listed(schema)).toMatchObject({
      eu: { state: 'moved', peer: 'us', isInterrupted: false },
      us: undefined,
    });
    expect(await tenants.leftCopies()).toEqual([{ tenant: schema, server: 'eu', since }]);
    await tenants.finishMove(schema);
    expect(await tenants.leftCopies()).toEqual([]);
  }, 120_000);

  it('has its progress in the process that moves it', async () => {
    const schema = freshSchema('progress');
    const { tenants } = await serve(schema);
    const seen: Promise<CurrentMove | null>[] = [];
    await tenants.move(schema, {
      to: 'us',
      onProgress: ({ phase }) => {
        if (phase === 'catchingUp') seen.push(tenants.currentMove(schema));
      },
    });
    const [first] = await Promise.all(seen);
    expect(first).toMatchObject({
      peer: 'us',
      progress: { tables: { total: expect.any(Number) } },
    });
    await waitFor(async () => (await tenants.currentMove(schema)) === null);
  }, 120_000);

  it('is not interrupted by the move of another tenant, and does not exist without servers', async () => {
    const [one, other] = [freshSchema('one'), freshSchema('other')];
    const { tenants } = await serve(one);
    const { tenants: others } = await serve(other);
    const steps = await PlainMove.open(other, eu, us);
    await steps.begin();
    expect(await tenants.currentMove(one)).toBeNull();
    expect(await others.currentMove(other)).toMatchObject({ isInterrupted: false });
    await steps.close();
    await move(one, eu, us);
    await waitFor(async () => tenants.get(one).server === 'us');
    expect(await tenants.currentMove(one)).toBeNull();
    const alone = freshSchema('alone');
    const { tenants: plain } = await start([], {
      imports: [CloacinaModule.forTenant({ schema: alone })],
    });
    expect(await plain.currentMove(alone)).toBeNull();
    await expect(plain.currentMove('none')).rejects.toMatchObject({ code: 'UNKNOWN_TENANT' });
  }, 120_000);
});
