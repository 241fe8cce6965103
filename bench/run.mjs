/**
 * Throughput and idle latency against the floor, in one run on one server with default durability.
 * Usage: node bench/run.mjs [rounds]
 */
import { readFileSync } from 'node:fs';
import os from 'node:os';
import pg from 'pg';
import { startEphemeralServer } from '../scripts/embedded-postgres.mjs';
import { openFloor } from './floor.mjs';
import { openLibrary } from './library.mjs';

const SCHEMA = 'bench';
const FLOOR_SCHEMA = 'bench_floor';
const LENGTHS = [1, 3];
/** Executions of one throughput measurement: a few seconds' worth. */
const COUNTS = { 1: 40_000, 3: 15_000 };
const IDLE_RUNS = 200;
const rounds = Number(process.argv[2] ?? 3);

const server = await startEphemeralServer();
try {
  await printMachine(server.url);
  // The floor has a schema that nobody serves: its claims have no lease, so a process that serves it would take them.
  await (await openLibrary(server.url, FLOOR_SCHEMA, [])).close();
  const library = await openLibrary(server.url, SCHEMA, LENGTHS);
  const floor = await openFloor(server.url, FLOOR_SCHEMA);
  const subjects = { floor, library };
  const rows = [];
  for (const length of LENGTHS) {
    for (const subject of Object.values(subjects)) await subject.throughput(length, 5_000);
    const rate = await inTurns(subjects, (subject) => subject.throughput(length, COUNTS[length]));
    rows.push(row(`${length}-task executions/s`, rate.floor, rate.library, 0));
    const idle = await inTurns(subjects, async (subject) =>
      median(await subject.idle(length, IDLE_RUNS)),
    );
    rows.push(row(`${length}-task idle, ms`, idle.floor, idle.library, 2));
  }
  console.table(Object.fromEntries(rows));
  await floor.close();
  await library.close();
} finally {
  await server.stop();
}

/** Each subject once a round, so that a machine whose speed drifts drifts for all of them. */
async function inTurns(subjects, measure) {
  const results = Object.fromEntries(Object.keys(subjects).map((name) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    for (const [name, subject] of Object.entries(subjects)) {
      results[name].push(await measure(subject));
    }
  }
  return results;
}

function row(name, floor, library, digits) {
  const show = (values) =>
    `${median(values).toFixed(digits)} (${Math.min(...values).toFixed(digits)} to ${Math.max(...values).toFixed(digits)})`;
  const ratio = median(library.map((value, round) => value / floor[round]));
  return [name, { floor: show(floor), library: show(library), 'library/floor': ratio.toFixed(2) }];
}

function median(values) {
  return [...values].sort((a, b) => a - b)[values.length >> 1];
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
      `synchronous_commit ${rows[0].commit}; ${os.availableParallelism()} cores, ${os.cpus()[0]?.model ?? ''}; ${rounds} rounds`,
  );
}
