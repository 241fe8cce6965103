/**
 * The benchmarks: this library and its peers in the same run, on the same server.
 *
 * Usage: npm run bench [-- scenario…] [--list] [--rounds=3] [--quick]
 */
import { parseArgs } from 'node:util';
import { BenchServer } from './measure/server.mjs';
import { describeMachine, machineLine, versionsLine } from './report/machine.mjs';
import { loadWarning, othersWarning } from './report/quiet.mjs';
import { saveResults } from './report/results.mjs';
import { printResult } from './report/table.mjs';
import { scenarios } from './scenarios/index.mjs';

const { values: options, positionals: names } = parseArgs({
  allowPositionals: true,
  options: {
    list: { type: 'boolean', default: false },
    quick: { type: 'boolean', default: false },
    rounds: { type: 'string' },
  },
});

const unknown = names.find((name) => !scenarios.some((scenario) => scenario.name === name));
if (options.list || unknown !== undefined) {
  if (unknown !== undefined) console.error(`There is no scenario "${unknown}". These are known:`);
  for (const { name, title } of scenarios) console.log(`${name.padEnd(16)} ${title}`);
  process.exit(unknown === undefined ? 0 : 1);
}

// Before the server is started, which is work too.
const warning = loadWarning();
const server = await BenchServer.start();
let stopping;
const stop = () => (stopping ??= server.stop());
process.once('SIGINT', () => void stop().then(() => process.exit(130)));
try {
  const machine = await describeMachine(server);
  console.log(versionsLine(machine));
  console.log(machineLine(machine));
  if (warning !== undefined) console.log(warning);
  const bench = {
    server,
    quick: options.quick,
    rounds: Number(options.rounds ?? (options.quick ? 1 : 3)),
    log: (line) => console.log(`  ${line}`),
  };
  const chosen = scenarios.filter(({ name }) => names.length === 0 || names.includes(name));
  for (const scenario of chosen) {
    console.log(`\n${scenario.title}…`);
    const others = server.watchOthers();
    const result = await scenario.run(bench);
    const busy = othersWarning(others());
    if (busy !== undefined) result.notes = [...(result.notes ?? []), busy];
    printResult(scenario, result);
    const { name, title, unit, higherIsBetter, main } = scenario;
    const { date, ...where } = machine;
    const { rounds } = bench;
    const about = { title, unit, higherIsBetter, main, date, rounds, machine: where };
    // At once: a run that is stopped half way has not been for nothing.
    if (!options.quick) saveResults({ [name]: { ...about, ...result } }, scenarios);
  }
} finally {
  await stop();
}
