import { isOurs } from '../measure/contenders.mjs';
import { format } from '../measure/rounds.mjs';

const COLUMNS = [
  ['drainPerSecond', 'enqueued before/s'],
  ['statements', 'statements'],
  ['transactions', 'writing commits'],
  ['walBytes', 'WAL bytes'],
  ['serverCpuMs', 'server CPU ms'],
  ['clientCpuMs', 'client CPU ms'],
];

/** One row a contender and configuration: the median, the spread, how it compares to the best peer, what it cost. */
export function printResult(scenario, result) {
  console.log(`\n${scenario.title} (${scenario.name})`);
  if (result.rows !== undefined) console.table(tableOf(scenario, result));
  for (const { label, settings } of result.rows ?? []) console.log(`  ${label}: ${settings}`);
  for (const table of result.tables ?? []) console.table(table);
  for (const note of result.notes ?? []) console.log(`  ${note}`);
}

/** Rows of cells by label and title. */
export function tableOf(scenario, { rows }) {
  const best = bestPeer(scenario, rows);
  const table = {};
  for (const row of rows) {
    const cells = {
      [scenario.unit]: format(row[scenario.main]),
      spread: `${format(Math.min(...row.values))} to ${format(Math.max(...row.values))}`,
    };
    if (best !== undefined) cells['to the best peer'] = format(row[scenario.main] / best);
    for (const [name, title] of [...(scenario.columns ?? []), ...COLUMNS])
      if (row[name] !== undefined) cells[title] = format(row[name]);
    table[row.label] = cells;
  }
  return table;
}

function bestPeer(scenario, rows) {
  const values = rows
    .filter(({ contender }) => !isOurs(contender))
    .map((row) => row[scenario.main]);
  if (values.length === 0) return undefined;
  return scenario.higherIsBetter ? Math.max(...values) : Math.min(...values);
}
