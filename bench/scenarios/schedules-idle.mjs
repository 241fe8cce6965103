import { entriesOf } from '../measure/contenders.mjs';
import { format } from '../measure/rounds.mjs';
import { measureFarSchedules } from '../measure/schedules.mjs';
import { median } from '../statistics.mjs';

const TENANTS = 100;
const SCHEDULES = 1_000;

/** A schedule that is far away is to cost nothing, so the figures with and without schedules are to be the same. */
export const schedulesIdle = {
  name: 'schedules-idle',
  title: `What one process with ${TENANTS} tenants costs that has nothing to do: without schedules, and with ${format(SCHEDULES)} that fire in a year`,
  async run({ server, rounds, quick, log }) {
    const [entry] = await entriesOf({ 'nestjs-cloacina': ['default'] });
    const settleMs = quick ? 15_000 : 30_000;
    const ms = quick ? 30_000 : 60_000;
    const samples = new Map([
      [0, []],
      [SCHEDULES, []],
    ]);
    for (let round = 0; round < rounds; round++) {
      for (const [count, taken] of samples) {
        const sample = await measureFarSchedules({
          server,
          entry,
          count,
          tenants: TENANTS,
          settleMs,
          ms,
        });
        log(`${format(count)} schedules: ${format(sample.statementsPerSecond)} statements/s`);
        taken.push(sample);
      }
    }
    const rowOf = (taken) => {
      const middle = (name) => median(taken.map((sample) => sample[name]));
      return {
        'statements/s': format(middle('statementsPerSecond')),
        'of them about schedules': format(middle('scheduleStatementsPerSecond')),
        'client CPU %': format(middle('clientCpuPercent')),
        'server CPU %': format(middle('serverCpuPercent')),
      };
    };
    const labelOf = (count) => (count === 0 ? 'no schedules' : `${format(count)} schedules`);
    const rows = [...samples].map(([count, taken]) => [labelOf(count), rowOf(taken)]);
    return { tables: [Object.fromEntries(rows)], samples: Object.fromEntries(samples) };
  },
};
