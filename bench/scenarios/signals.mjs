import { entriesOf } from '../measure/contenders.mjs';
import { interleave } from '../measure/rounds.mjs';
import { measureSignals } from '../measure/signals.mjs';

const CONTENDERS = {
  'nestjs-cloacina': ['default', 'tuned'],
  DBOS: ['default', 'fast'],
};

/** Signals to executions that wait, against DBOS's send() and recv(). Queues have no such waits. */
export const signals = {
  name: 'signals',
  title: 'Signal to a waiting execution, until it has completed',
  unit: 'executions/s',
  higherIsBetter: true,
  main: 'perSecond',
  columns: [
    ['resumedMs', 'ms to resume when idle'],
    ['resumedP95Ms', 'its p95'],
  ],
  async run({ server, rounds, quick, log }) {
    const entries = await entriesOf(CONTENDERS);
    const measure = (entry) => measureSignals({ server, entry, quick });
    return { rows: await interleave({ entries, rounds, main: 'perSecond', measure, log }) };
  },
};
