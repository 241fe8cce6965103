import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';

const FOLDER = new URL('../results/', import.meta.url);
const FILE = new URL('latest.json', FOLDER);

/** A run of some scenarios replaces those and keeps the others, each with the machine and day that it was measured on. */
export function saveResults({ machine, rounds, results }) {
  mkdirSync(FOLDER, { recursive: true });
  const latest = { machine, rounds, results: { ...earlier().results, ...results } };
  writeFileSync(FILE, `${JSON.stringify(latest, null, 2)}\n`);
}

function earlier() {
  try {
    return JSON.parse(readFileSync(FILE, 'utf8'));
  } catch (error) {
    if (error.code === 'ENOENT') return { results: {} };
    throw error;
  }
}
