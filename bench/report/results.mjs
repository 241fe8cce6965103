import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { chartOf, panelOf } from './chart.mjs';
import { pageOf } from './markdown.mjs';

const FOLDER = new URL('../results/', import.meta.url);
const FILE = new URL('latest.json', FOLDER);

/** A run of some scenarios replaces those and keeps the others, each with the machine and day that it was measured on. */
export function saveResults(results, scenarios) {
  mkdirSync(FOLDER, { recursive: true });
  const latest = { results: { ...earlier().results, ...results } };
  writeFileSync(FILE, `${JSON.stringify(latest, null, 2)}\n`);
  writeFileSync(new URL('latest.md', FOLDER), pageOf(latest.results, scenarios));
  drawChart(latest);
}

/** The scenarios that the README shows. */
const SHOWN = ['one-task', 'chain', 'fan-5', 'latency'];

function drawChart({ results }) {
  const shown = SHOWN.map((name) => results[name]).filter((result) => result !== undefined);
  if (shown.length === 0) return;
  const [{ machine, date }] = shown;
  const busiest = Math.max(...shown.map((result) => result.machine.loadBefore));
  const busy = busiest > machine.cores ? `; BUSY WITH OTHER THINGS (load ${busiest})` : '';
  const chart = chartOf({
    title: 'Durable executions on PostgreSQL, each contender at its best',
    panels: shown.map(panelOf),
    footer: `${date.slice(0, 10)}, medians; ${machine.cores} cores, ${machine.processor}; Node ${machine.node}, PostgreSQL ${machine.postgresql.version}, default durability${busy}`,
  });
  writeFileSync(new URL('chart.svg', FOLDER), chart);
}

function earlier() {
  try {
    return JSON.parse(readFileSync(FILE, 'utf8'));
  } catch (error) {
    if (error.code === 'ENOENT') return { results: {} };
    throw error;
  }
}
