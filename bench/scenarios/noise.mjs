import { entriesOf } from '../measure/contenders.mjs';
import { measureInTurn, noiseOf, ratioOf } from '../measure/pairs.mjs';
import { openPhases, PHASES } from '../measure/phases.mjs';
import { median } from '../statistics.mjs';

/** What the figures of two runs of the same build should differ by at most. */
const AIM = 0.05;
const MEASURED = ['one-task', 'chain', 'many-tenants', 'latency'];

/** The same build twice, in turn: how far two runs of it are apart on this machine. */
export const noise = {
  name: 'noise',
  title: 'The benchmark against itself: one build twice, in turn',
  async run({ server, quick }) {
    const table = {};
    const notes = [];
    for (const name of MEASURED) {
      const phase = PHASES[name];
      const [entry] = await entriesOf({ 'nestjs-cloacina': [phase.configuration] });
      const others = server.watchOthers();
      const samples = await measureInTurn({
        builds: { first: null, second: null },
        sessions: quick ? 1 : 3,
        rounds: quick ? 6 : 8,
        open: (_, opened) => openPhases({ server, entry, phase, opened }),
      });
      const share = others();
      const [first, second] = ['first', 'second'].map((label) =>
        samples[label].map((sample) => sample[phase.main]),
      );
      const ratio = ratioOf(second, first);
      const floor = noiseOf(ratio);
      table[phase.title] = {
        first: median(first),
        second: median(second),
        ratio: ratio.ratio.toFixed(3),
        'its interval': `${ratio.least.toFixed(3)} to ${ratio.most.toFixed(3)}`,
        'two runs differ by, %': (Math.abs(ratio.ratio - 1) * 100).toFixed(1),
        'noise floor, %': (floor * 100).toFixed(1),
        'other programs, %': share === undefined ? '' : (share * 100).toFixed(1),
      };
      if (Math.abs(ratio.ratio - 1) > AIM)
        notes.push(
          `${phase.title}: two runs differ by more than ${AIM * 100} %. ` +
            (share > AIM
              ? `Other programs took ${Math.round(share * 100)} % of the processors.`
              : 'No other program took much, so the processes themselves differ: run more sessions.'),
        );
    }
    return { tables: [table], notes };
  },
};
