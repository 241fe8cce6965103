/**
 * The benchmarks, on an embedded PostgreSQL with default durability.
 *
 * Usage: npm run bench [-- throughput | recovery] [rounds]
 */
import { readFileSync } from 'node:fs';
import os from 'node:os';
import pg from 'pg';
import { startEphemeralServer } from '../scripts/embedded-postgres.mjs';
import { measureRecovery } from './recovery.mjs';
import { measureThroughput } from './throughput.mjs';

const SCENARIOS = {
  throughput: (url, rounds = 3) => measureThroughput(url, rounds),
  recovery: (url, kills = 40) => measureRecovery(url, kills),
};

const [name, count] = process.argv.slice(2);
if (name !== undefined && !(name in SCENARIOS)) {
  console.error(`There is no benchmark ${name}. Known: ${Object.keys(SCENARIOS).join(', ')}.`);
  process.exit(1);
}

const server = await startEphemeralServer();
try {
  await printMachine(server.url);
  const chosen = name === undefined ? Object.values(SCENARIOS) : [SCENARIOS[name]];
  for (const measure of chosen) {
    await measure(server.url, count === undefined ? undefined : Number(count));
  }
} finally {
  await server.stop();
}

async function printMachine(url) {
  const client = new pg.Client(url);
  await client.connect();
  const { rows } = await client.query(
    "SELECT current_setting('server_version') AS version, current_setting('fsync') AS fsync, current_setting('synchronous_commit') AS commit",
  );
  await client.end();
  const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
  console.log(
    `nestjs-cloacina ${version}, Node ${process.version}, PostgreSQL ${rows[0].version}, fsync ${rows[0].fsync}, ` +
      `synchronous_commit ${rows[0].commit}; ${os.availableParallelism()} cores, ${os.cpus()[0]?.model ?? ''}`,
  );
}
