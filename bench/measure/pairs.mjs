import { median, medianInterval } from '../statistics.mjs';

/**
 * Measures several builds in turn, in short phases, so that whatever else the machine does meets all of them. Each session
 * has new processes and databases, because one process may be faster than the next with the same code. The order moves on by
 * one each round.
 *
 * @param builds - what to measure, by label
 * @param open - opens a build; returns `measure` and `close`
 * @returns the samples of each build by label, one a round
 */
export async function measureInTurn({ builds, sessions, rounds, open }) {
  const labels = Object.keys(builds);
  const samples = Object.fromEntries(labels.map((label) => [label, []]));
  for (let session = 0; session < sessions; session++) {
    const opened = {};
    try {
      for (let turn = 0; turn < labels.length; turn++) {
        const label = labels[(turn + session) % labels.length];
        opened[label] = await open(builds[label], opened);
      }
      for (let round = 0; round < rounds; round++) {
        for (let turn = 0; turn < labels.length; turn++) {
          const label = labels[(turn + round + session) % labels.length];
          samples[label].push(await opened[label].measure());
        }
      }
    } finally {
      for (const one of Object.values(opened)) await one.close();
    }
  }
  return samples;
}

/** The ratio of two series, round by round: its median, and the interval of the median. */
export function ratioOf(series, base) {
  const ratios = series.map((value, round) => value / base[round]);
  const [least, most] = medianInterval(ratios);
  return { ratio: median(ratios), least, most };
}

/** How far a ratio of a build to itself is from 1, at most: the difference that says nothing. */
export function noiseOf({ least, most }) {
  return Math.max(Math.abs(least - 1), Math.abs(most - 1));
}
