import { setTimeout as delay } from 'node:timers/promises';
import { entriesOf } from '../measure/contenders.mjs';
import { withProcesses } from '../measure/limits.mjs';
import { format } from '../measure/rounds.mjs';
import { mostInASecond } from '../measure/slot-audit.mjs';

const RATE = { limit: 90, per: '1s' };
/** The burst unless one is set: a tenth of the limit. */
const BURST = 9;
const SETTLE_MS = 2_000;
const CLAIM = 'WITH asked AS MATERIALIZED%';

/** A rate of one key in several processes, by the begins that the database's clock has given to the tasks. */
export const limitsRate = {
  name: 'limits-rate',
  title: 'A rate of 90 a second of one key with a backlog, by the clock of the database',
  async run({ server, quick }) {
    const [entry] = await entriesOf({ 'nestjs-cloacina limits': ['rate'] });
    const table = {};
    for (const processes of [1, 8]) {
      table[`${processes} processes`] = await measureRate(server, entry, processes, quick ? 5 : 20);
    }
    return { tables: [table] };
  },
};

async function measureRate(server, entry, processes, seconds) {
  const shape = { keys: 1, perKey: 1_000, slots: 20, handlerMs: 5, rate: RATE };
  return withProcesses({ server, entry, shape }, async ({ open, database }) => {
    const workers = [];
    for (let no = 0; no < processes; no++) workers.push(await open());
    // What comes after the measured time is left.
    await workers[0].call('call', ['startKeyed', 90 * (seconds + 15), 1, 'rated']);
    await delay(SETTLE_MS);
    await server.settle();
    const [{ from }] = await rowsOf(database, 'SELECT clock_timestamp()::text AS from');
    await delay(seconds * 1_000);
    const begins = await rowsOf(
      database,
      `SELECT extract(epoch FROM started_at)::float8 * 1000 AS at FROM bench.cloacina_task_execution
       WHERE started_at BETWEEN $1::timestamptz AND $1::timestamptz + $2 * interval '1 second' ORDER BY 1`,
      [from, seconds],
    );
    const { calls } = await server.calls(database.name, CLAIM);
    const all = await rowsOf(
      database,
      `SELECT extract(epoch FROM started_at)::float8 * 1000 AS at FROM bench.cloacina_task_execution
       WHERE started_at IS NOT NULL ORDER BY 1`,
    );
    const most = mostInASecond(all.map(({ at }) => at));
    return {
      'begins/s': format(begins.length / seconds),
      [`most in a second (at most ${RATE.limit + BURST})`]: most,
      'claims/s': format(calls / seconds),
      'claims a begin': format(calls / begins.length),
    };
  });
}

async function rowsOf(database, text, values = []) {
  return (await database.client.query(text, values)).rows;
}
