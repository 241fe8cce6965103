import { entriesOf } from '../measure/contenders.mjs';
import { measureLimitDrain } from '../measure/limits.mjs';
import { interleave } from '../measure/rounds.mjs';

const COLUMNS = [
  ['over', 'runs over the limit'],
  ['most', 'most of a key'],
  ['used', 'slots used, %'],
];

/** What it costs to be limited where no limit stops anything, in turn with no limit at all. */
export const limitsThatDoNotBind = {
  name: 'limits-free',
  title:
    'Limits that do not bind: a backlog of 50 keys of which each may run 50 at a time, one process',
  unit: 'tasks/s',
  higherIsBetter: true,
  main: 'perSecond',
  columns: COLUMNS.slice(0, 2),
  async run({ server, rounds, quick, log }) {
    const entries = await entriesOf({
      'nestjs-cloacina limits': ['none', 'turns', 'limit'],
      'pg-boss limits': ['none', 'limit'],
      'DBOS limits': ['none', 'limit'],
    });
    const shape = { keys: 50, perKey: 50, slots: 100, handlerMs: 0 };
    const measure = (entry) => {
      const count =
        { 'nestjs-cloacina limits': 20_000, 'pg-boss limits': 2_000 }[entry.name] ?? 2_000;
      return measureLimitDrain({
        server,
        entry,
        shape,
        count: quick ? count / 4 : count,
        processes: 1,
      });
    };
    return { rows: await interleave({ entries, rounds, main: 'perSecond', measure, log }) };
  },
};

/** Whether a limit is kept, and how much of it is used, by several processes. */
export const limitsThatBind = {
  name: 'limits-full',
  title:
    'Limits that bind: 20 keys of which each may run 4 at a time, handlers of 100 ms, four processes',
  unit: 'slots used, %',
  higherIsBetter: true,
  main: 'used',
  columns: [
    ['over', 'runs over the limit'],
    ['most', 'most of a key'],
    ['perSecond', 'tasks/s (at most 800)'],
  ],
  async run({ server, rounds, quick, log }) {
    const entries = await entriesOf({
      'nestjs-cloacina limits': ['limit'],
      'pg-boss limits': ['limit'],
      'DBOS limits': ['limit'],
    });
    const shape = { keys: 20, perKey: 4, slots: 40, handlerMs: 100 };
    const measure = (entry) =>
      measureLimitDrain({ server, entry, shape, count: quick ? 4_000 : 12_000, processes: 4 });
    return { rows: await interleave({ entries, rounds, main: 'used', measure, log }) };
  },
};
