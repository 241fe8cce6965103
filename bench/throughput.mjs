import { openFloor } from './floor.mjs';
import { openLibrary } from './library.mjs';
import { median } from './statistics.mjs';

const SCHEMA = 'bench';
const FLOOR_SCHEMA = 'bench_floor';
const LENGTHS = [1, 3];
/** Executions of one throughput measurement: a few seconds' worth. */
const COUNTS = { 1: 40_000, 3: 15_000 };
const IDLE_RUNS = 200;

/** Throughput and idle latency against the floor, in one run on one server. */
export async function measureThroughput(url, rounds) {
  // The floor has a schema that no process serves: its claims have no lease, so a process that serves it would take them.
  await (await openLibrary(url, FLOOR_SCHEMA, [])).close();
  const library = await openLibrary(url, SCHEMA, LENGTHS);
  const floor = await openFloor(url, FLOOR_SCHEMA);
  const subjects = { floor, library };
  const rows = [];
  for (const length of LENGTHS) {
    for (const subject of Object.values(subjects)) await subject.throughput(length, 5_000);
    const rate = await inTurns(subjects, rounds, (subject) =>
      subject.throughput(length, COUNTS[length]),
    );
    rows.push(row(`${length}-task executions/s`, rate.floor, rate.library, 0));
    const idle = await inTurns(subjects, rounds, async (subject) =>
      median(await subject.idle(length, IDLE_RUNS)),
    );
    rows.push(row(`${length}-task idle, ms`, idle.floor, idle.library, 2));
  }
  await floor.close();
  await library.close();
  return Object.fromEntries(rows);
}

/** Each subject once a round, so that a machine whose speed drifts drifts for all of them. */
async function inTurns(subjects, rounds, measure) {
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
