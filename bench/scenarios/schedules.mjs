import { entriesOf } from '../measure/contenders.mjs';
import { interleave } from '../measure/rounds.mjs';
import { measureSchedules } from '../measure/schedules.mjs';

const SCHEDULES = 500;
const TENANTS = 100;
const OF_TENANTS = 10_000;
const LAGS = [
  ['p50', 'p50 lag, ms'],
  ['p95', 'p95 lag, ms'],
  ['lastMs', 'last, ms'],
  ['missing', 'missing'],
];

/** Cron of peers has minutes, so all of the schedules are due at a whole minute. */
export const schedules = {
  name: 'schedules',
  title: `${SCHEDULES} schedules that are due at one instant, until their handlers begin`,
  unit: 'firings/s',
  higherIsBetter: true,
  main: 'perSecond',
  columns: LAGS,
  async run({ server, rounds, quick, log }) {
    const entries = await entriesOf({
      'nestjs-cloacina': ['default'],
      'pg-boss': ['notify'],
      'graphile-worker': ['fast'],
    });
    const count = quick ? SCHEDULES / 5 : SCHEDULES;
    const measure = (entry) => measureSchedules({ server, entry, count, inMs: 15_000 });
    const rows = await interleave({ entries, rounds, main: 'perSecond', measure, log });
    const notes = [
      'pg-boss: cronMonitorIntervalSeconds 1, cronWorkerIntervalSeconds 1, in place of 30 and 5',
      'graphile-worker: the schedules are those of the process, and not stored',
    ];
    return { rows, notes };
  },
};

export const schedulesOfTenants = {
  name: 'schedules-tenants',
  title: `${OF_TENANTS} schedules of ${TENANTS} tenants that are due at one instant, until the last handler begins`,
  unit: 'ms',
  higherIsBetter: false,
  main: 'lastMs',
  columns: [...LAGS.filter(([name]) => name !== 'lastMs'), ['twice', 'twice']],
  async run({ server, rounds, quick, log }) {
    const entries = await entriesOf({ 'nestjs-cloacina': ['default'] });
    const count = quick ? OF_TENANTS / 10 : OF_TENANTS;
    const measure = (entry) =>
      measureSchedules({ server, entry, count, tenants: TENANTS, inMs: 90_000 });
    return { rows: await interleave({ entries, rounds, main: 'lastMs', measure, log }) };
  },
};

/** Peers have no firings within a minute. */
export const schedulesAlone = {
  name: 'schedules-alone',
  title: 'Schedules that fire alone, from the instant until the handler begins',
  unit: 'ms',
  higherIsBetter: false,
  main: 'p95',
  columns: [
    ['p50', 'p50 lag, ms'],
    ['lastMs', 'longest, ms'],
    ['twice', 'twice'],
  ],
  async run({ server, rounds, quick, log }) {
    const entries = await entriesOf({ 'nestjs-cloacina': ['default'] });
    const firings = quick ? 50 : 300;
    const measure = (entry) =>
      measureSchedules({ server, entry, count: 10, firings, everyMs: 1_000, inMs: 5_000 });
    return { rows: await interleave({ entries, rounds, main: 'p95', measure, log }) };
  },
};
