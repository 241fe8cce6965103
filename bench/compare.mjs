/**
 * Two builds of this library in turn, in one run on one server: what a change to the hot path costs.
 *
 * Usage: npm run bench -- compare --against=<dist folder of the other build> [--rounds=5] [scenario…]
 */
import { parseArgs } from 'node:util';
import { entriesOf } from './measure/contenders.mjs';
import { measureLatency } from './measure/latency.mjs';
import { format, interleave } from './measure/rounds.mjs';
import { BenchServer } from './measure/server.mjs';
import { chain } from './measure/shape.mjs';
import { measureThroughput } from './measure/throughput.mjs';
import { median } from './statistics.mjs';

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: { against: { type: 'string' }, rounds: { type: 'string', default: '5' } },
});
if (options.against === undefined) {
  console.error('Give the dist folder of the build to compare with: --against=<folder>.');
  process.exit(1);
}
const builds = { before: options.against, now: process.env.BENCH_DIST };

const throughput = (length, configuration = 'default') => ({
  main: 'perSecond',
  digits: 0,
  configuration,
  measure: (server, entry) =>
    measureThroughput({ server, entry, shape: chain(length), seconds: 2 }),
});
const latency = (length) => ({
  main: 'completed',
  digits: 3,
  configuration: 'default',
  measure: (server, entry) =>
    measureLatency({ server, entry, shape: chain(length), runs: 200, seconds: 5 }),
});
const SCENARIOS = {
  'one-task': throughput(1),
  execute: throughput(1, 'execute'),
  chain: throughput(3),
  latency: latency(1),
  'latency-chain': latency(3),
};

/** What an execution costs: a busy machine changes these less than it changes a rate. */
const COSTS = ['statements', 'transactions', 'walBytes', 'serverCpuMs', 'clientCpuMs'];

const server = await BenchServer.start();
try {
  for (const name of positionals.length > 0 ? positionals : Object.keys(SCENARIOS)) {
    await compare(name, SCENARIOS[name]);
  }
} finally {
  await server.stop();
}

async function compare(name, { main, digits, configuration, measure }) {
  const [entry] = await entriesOf({ 'nestjs-cloacina': [configuration] });
  const entries = Object.keys(builds).map((build) => ({ ...entry, build, label: build }));
  const rows = await interleave({
    entries,
    rounds: Number(options.rounds),
    main,
    log: () => {},
    measure: (one) => {
      process.env.BENCH_DIST = builds[one.build];
      return measure(server, one);
    },
  });
  const [before, now] = rows;
  const ratio = median(now.values.map((value, round) => value / before.values[round]));
  console.log(
    `${name.padEnd(14)} before ${shown(before, digits)}, now ${shown(now, digits)}, now/before ${ratio.toFixed(3)}`,
  );
  for (const cost of COSTS.filter((one) => typeof before[one] === 'number')) {
    console.log(`  ${cost.padEnd(12)} before ${format(before[cost])}, now ${format(now[cost])}`);
  }
}

function shown({ values }, digits) {
  const [least, most] = [Math.min(...values), Math.max(...values)].map((value) =>
    value.toFixed(digits),
  );
  return `${median(values).toFixed(digits)} (${least} to ${most})`;
}
