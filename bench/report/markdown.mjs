import { format } from '../measure/rounds.mjs';
import { machineLine, versionsLine } from './machine.mjs';
import { tableOf } from './table.mjs';

/** The results as a page: each scenario with its machine, since a run of a few replaces only those. */
export function pageOf(results, scenarios) {
  const sections = scenarios
    .filter(({ name }) => results[name] !== undefined)
    .map((scenario) => sectionOf(scenario, results[scenario.name]));
  return [
    '# Results',
    'Written by `npm run bench`; medians over the rounds, and the smallest and the largest. What the figures mean is in [Performance](../../docs/performance.md).',
    ...sections,
    '',
  ].join('\n\n');
}

function sectionOf(scenario, result) {
  const tables = [...(result.rows ? [tableOf(scenario, result)] : []), ...(result.tables ?? [])];
  const settings = (result.rows ?? []).map(({ label, settings: about }) => `- ${label}: ${about}`);
  return [
    `## ${result.title}`,
    ...tables.map(markdownTable),
    ...(result.notes ?? []),
    ...(settings.length === 0 ? [] : [settings.join('\n')]),
    `${result.date.slice(0, 16).replace('T', ' ')} UTC, ${result.rounds === 1 ? '1 round' : `${result.rounds} rounds`}. ${versionsLine(result.machine)}. ${machineLine(result.machine)}.`,
  ].join('\n\n');
}

function markdownTable(table) {
  const columns = [...new Set(Object.values(table).flatMap((row) => Object.keys(row)))];
  const line = (cells) => `| ${cells.join(' | ')} |`;
  const cell = (value) => (typeof value === 'number' ? format(value) : (value ?? ''));
  return [
    line(['', ...columns]),
    line(['---', ...columns.map(() => '---:')]),
    ...Object.entries(table).map(([label, row]) =>
      line([label, ...columns.map((column) => cell(row[column]))]),
    ),
  ].join('\n');
}
