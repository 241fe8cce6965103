import { isOurs } from './contenders.mjs';
import { median } from '../statistics.mjs';

/**
 * Measures every entry once a round, in an order that moves on by one each round, so that what else the machine does
 * meets all of them. `measure` returns an object of figures; the result has their medians, and all values of `main`.
 */
export async function interleave({ entries, rounds, main, measure, log }) {
  const samples = entries.map(() => []);
  for (let round = 0; round < rounds; round++) {
    for (let turn = 0; turn < entries.length; turn++) {
      const at = (turn + round) % entries.length;
      try {
        const sample = await measure(entries[at], round);
        log(`round ${round + 1}: ${entries[at].label}: ${format(sample[main])}`);
        samples[at].push(sample);
      } catch (error) {
        // A peer that fails is left out of this round; what is wrong with this library must not go unseen.
        if (isOurs(entries[at].name)) throw error;
        log(`round ${round + 1}: ${entries[at].label}: ${error.message}`);
      }
    }
  }
  const measured = entries.map((entry, at) => [entry, samples[at]]);
  return measured
    .filter(([, taken]) => taken.length > 0)
    .map(([entry, taken]) => resultRow(entry, taken, main));
}

/** What an entry's samples come to. */
export function resultRow(entry, samples, main) {
  return {
    label: entry.label,
    contender: entry.name,
    configuration: entry.configuration,
    settings: entry.contender.configurations[entry.configuration].about,
    values: samples.map((sample) => sample[main]),
    ...mediansOf(samples),
  };
}

function mediansOf(samples) {
  const medians = {};
  for (const name of Object.keys(samples[0])) {
    const values = samples.map((sample) => sample[name]);
    medians[name] = values.includes(null) ? null : median(values);
  }
  return medians;
}

export function format(value) {
  if (value === null || value === undefined) return '';
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString('en');
  if (Math.abs(value) >= 10) return value.toFixed(1);
  return Math.abs(value) >= 0.1 || value === 0 ? value.toFixed(2) : value.toPrecision(2);
}
