import pg from 'pg';
import { spread } from './callers.mjs';
import { Handled } from './handled.mjs';

/** For a peer with one instance for each schema: all instances in this process, on one pool. */
export async function openMany(contender, { schemas, ...settings }) {
  const handled = new Handled();
  // An instance may keep a connection to itself, to listen.
  const pool = new pg.Pool({ connectionString: settings.url, max: schemas.length + 20 });
  const complain = (error) => console.error(error.message);
  pool.on('error', complain).on('connect', (client) => client.on('error', complain));
  const sessions = [];
  // All of the schemas first: graphile-worker's instances stop when another one's schema is migrated.
  for (const schema of schemas) {
    const session = await contender.openSchema({ ...settings, schema, pool, claims: false });
    await session.close();
  }
  for (const schema of schemas)
    sessions.push(await contender.openSchema({ ...settings, schema, pool, handled }));
  return {
    handled,
    start: (count) => spread(sessions, count, (session, share) => session.start(share)),
    close: async () => {
      await Promise.all(sessions.map((session) => session.close()));
      await pool.end();
    },
  };
}
