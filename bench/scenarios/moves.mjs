import { setTimeout as delay } from 'node:timers/promises';
import { startWorker } from '../measure/forked-worker.mjs';
import { RestartableServer } from '../measure/restartable-server.mjs';
import { addHistory } from '../measure/retention.mjs';
import { format } from '../measure/rounds.mjs';

const WORKER = new URL('../moves-worker.mjs', import.meta.url);
const RUNNING = 1_000;
/** Of short executions before and after the move, so that what they take is known without one. */
const BESIDE_MS = 2_000;

/** A move of a tenant to another server, beside a process that serves it and has an execution after the other. */
export const moves = {
  name: 'moves',
  title: 'A tenant with 100,000 ended and 1,000 running executions moves to another server',
  async run({ server, quick, rounds, log }) {
    const ended = quick ? 5_000 : 100_000;
    const running = quick ? 50 : RUNNING;
    const table = {};
    for (let round = 1; round <= rounds; round++) {
      const report = await measureMove({ server, ended, running });
      const row = {
        'total, s': (report.durationMs / 1_000).toFixed(2),
        'standing still, s': (report.stoppedMs / 1_000).toFixed(2),
        'longest execution, s': (report.longestMs / 1_000).toFixed(2),
        rows: format(report.rows),
        MB: (report.bytes / 2 ** 20).toFixed(1),
        'executions beside it': report.executed,
        'failed calls': report.failures.length,
      };
      table[`round ${round}`] = row;
      log(JSON.stringify(row));
    }
    return { tables: [table] };
  },
};

async function measureMove({ server, ended, running }) {
  const database = await server.createDatabase();
  const other = await RestartableServer.start();
  let worker;
  try {
    const servers = { a: { databaseUrl: database.url }, b: { databaseUrl: other.url } };
    worker = await startWorker(WORKER, {
      SERVERS: JSON.stringify(servers),
      SCHEMA: 'bench',
      SERVER: 'a',
    });
    const call = async (order, more = {}) => {
      worker.send({ order, ...more });
      const { result, error } = await worker.next(order);
      if (error !== undefined) throw new Error(error);
      return result;
    };
    await call('fill', { running });
    await addHistory(database.client, ended);
    await call('load');
    await delay(BESIDE_MS);
    const report = await call('move', { to: 'b' });
    await delay(BESIDE_MS);
    return { ...report, ...(await call('unload')) };
  } finally {
    await worker?.stop();
    await other.stop();
    await database.drop();
  }
}
