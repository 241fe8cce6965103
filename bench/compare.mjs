/**
 * Two builds of this library in turn, in one run on one server: what a change to the hot path costs. One of them runs
 * twice: the ratio of a build to itself is the noise floor, below which a difference says nothing.
 *
 * Usage: npm run bench -- compare [--against=<dist folder of the other build>] [--configurations=…] [--sessions=3] [--rounds=8] [scenario…]
 *
 * Without `--against` only the noise floor is measured. With `--configurations=telemetry,sdk` these configurations of this build
 * are compared with its default one.
 */
import { parseArgs } from 'node:util';
import { entriesOf } from './measure/contenders.mjs';
import { measureInTurn, noiseOf, ratioOf } from './measure/pairs.mjs';
import { openPhases, PHASES } from './measure/phases.mjs';
import { format } from './measure/rounds.mjs';
import { BenchServer } from './measure/server.mjs';
import { loadWarning, othersWarning } from './report/quiet.mjs';
import { median } from './statistics.mjs';

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    against: { type: 'string' },
    configurations: { type: 'string' },
    sessions: { type: 'string', default: '3' },
    rounds: { type: 'string', default: '8' },
  },
});
const names = positionals.length > 0 ? positionals : Object.keys(PHASES);
const unknown = names.find((name) => PHASES[name] === undefined);
if (unknown !== undefined) {
  console.error(
    `There is no scenario "${unknown}". These are known: ${Object.keys(PHASES).join(', ')}.`,
  );
  process.exit(1);
}
const now = process.env.BENCH_DIST;
const { against } = options;
const configurations = options.configurations?.split(',') ?? [];
/** What is compared with the base: the base itself, and the other build or configurations of this one. */
const base = { dist: against ?? now };
const builds = {
  base,
  itself: base,
  ...(against === undefined ? {} : { now: { dist: now } }),
  ...Object.fromEntries(configurations.map((one) => [one, { dist: now, configuration: one }])),
};
const compared = Object.keys(builds).filter((label) => builds[label] !== base);

/** What an execution costs: a busy machine changes these less than it changes a rate. */
const COSTS = ['statements', 'transactions', 'walBytes', 'serverCpuMs', 'clientCpuMs'];

const warning = loadWarning();
if (warning !== undefined) console.log(warning);
const server = await BenchServer.start();
try {
  for (const name of names) await compare(name, PHASES[name]);
} finally {
  await server.stop();
}

async function compare(name, phase) {
  const entryOf = async (configuration = phase.configuration) =>
    (await entriesOf({ 'nestjs-cloacina': [configuration] }))[0];
  const others = server.watchOthers();
  const samples = await measureInTurn({
    builds,
    sessions: Number(options.sessions),
    rounds: Number(options.rounds),
    open: async ({ dist, configuration }, opened) => {
      process.env.BENCH_DIST = dist;
      return openPhases({ server, entry: await entryOf(configuration), phase, opened });
    },
  });
  const share = others();
  const series = (label, figure) => samples[label].map((sample) => sample[figure]);
  const main = (label) => series(label, phase.main);
  const floor = ratioOf(main('itself'), main('base'));
  const noise = noiseOf(floor);
  console.log(`\n${name}: ${phase.title}`);
  for (const label of Object.keys(builds)) {
    const all = main(label);
    const [least, most] = [Math.min(...all), Math.max(...all)].map((value) => format(value));
    console.log(`  ${label.padEnd(9)} ${format(median(all))} (${least} to ${most})`);
  }
  console.log(`  itself/base ${shown(floor)}: differences below ${percent(noise)} are noise`);
  for (const label of compared) {
    const ratio = ratioOf(main(label), main('base'));
    const isNoise = Math.abs(ratio.ratio - 1) <= noise || (ratio.least <= 1 && ratio.most >= 1);
    console.log(
      `  ${`${label}/base`.padEnd(14)} ${shown(ratio)}: ${isNoise ? 'within the noise' : 'a difference'}`,
    );
  }
  for (const cost of COSTS.filter((one) => typeof samples.base[0][one] === 'number')) {
    const medians = Object.keys(builds).map(
      (label) => `${label} ${format(median(series(label, cost)))}`,
    );
    console.log(`  ${cost.padEnd(12)} ${medians.join(', ')}`);
  }
  const busy = othersWarning(share);
  if (busy !== undefined) console.log(`  ${busy}`);
}

function shown({ ratio, least, most }) {
  return `${ratio.toFixed(3)} (${least.toFixed(3)} to ${most.toFixed(3)})`;
}

function percent(share) {
  return `${(share * 100).toFixed(1)} %`;
}
