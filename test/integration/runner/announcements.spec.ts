import { randomUUID } from 'node:crypto';
import { expect, it } from '@jest/globals';
import pg from 'pg';
import { defineWorkflow } from 'nestjs-cloacina';
import { openTenant } from '../../support/open-tenant.js';
import { databaseUrl, freshSchema } from '../../support/postgres.js';
import { waitFor } from '../../support/wait-for.js';

const DEAD = 2_500;

const workflow = defineWorkflow('w')
  .task('t', () => undefined)
  .build();

/** The row of a process that holds no lock, and was seen `minutes` ago. */
const row = (id: string, lock: string, minutes: string): string =>
  `(${id}, 'host:1', ${lock}, 'claiming', 10, 2, '{}'::bigint[], '{}'::json, clock_timestamp() - ${minutes} * interval '1 minute')`;

it('processes that were killed leave only the announcements of the last minute', async () => {
  const schema = freshSchema();
  const first = await openTenant([workflow], { schema });
  const { query, engine } = first;
  const ids = async (): Promise<string[]> =>
    (await query<{ id: string }>(`SELECT process_id AS id FROM cloacina_process`)).map(
      ({ id }) => id,
    );
  const own = (await waitFor(async () => (await ids())[0], { what: 'the announcement' })) ?? '';
  // Its row is as old as those of the dead.
  await query(`UPDATE cloacina_process SET seen_at = seen_at - interval '50 minutes'`);

  const [away, unlocked, fresh] = [randomUUID(), randomUUID(), randomUUID()];
  const connection = new pg.Client({
    connectionString: databaseUrl(),
    application_name: `cloacina:${away}`,
  });
  await connection.connect();
  try {
    const columns =
      'process_id, name, lock_session, state, slots, definition_format, definitions, limits, seen_at';
    await query(`INSERT INTO cloacina_process (${columns})
      SELECT * FROM (VALUES ${[
        row(`'${away}'::uuid`, "'1:1'", '50'),
        row(`'${unlocked}'`, 'NULL', '2'),
        row(`'${fresh}'`, "'1:1'", '0'),
      ].join()}) v
      UNION ALL SELECT gen_random_uuid(), 'host:1', CASE WHEN n % 2 = 0 THEN '1:' || n END, 'claiming', 10, 2, '{}'::bigint[], '{}'::json,
        clock_timestamp() - interval '4 minutes' FROM generate_series(1, ${DEAD}) n`);
    expect(await ids()).toHaveLength(DEAD + 4);
    const { serving } = await engine.store.processes.read('w');
    expect(serving.map(({ processId }) => processId).sort()).toEqual([own, away, unlocked].sort());

    await openTenant([workflow], { schema });
    const known = [own, away, unlocked, fresh];
    const left = await waitFor(
      async () => {
        const found = await ids();
        return found.length === known.length + 1 && found;
      },
      { what: 'the deletion' },
    );
    expect(left).toEqual(expect.arrayContaining(known));
  } finally {
    await connection.end();
  }
});
