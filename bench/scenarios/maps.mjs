import { entriesOf } from '../measure/contenders.mjs';
import { measureMap, measureMapControls } from '../measure/maps.mjs';
import { interleave } from '../measure/rounds.mjs';
import { map } from '../measure/shape.mjs';
import { throughputOf } from './throughput-of.mjs';

/** Contenders without maps start a job or a child for each item, and join them by hand. */
const CONTENDERS = {
  'nestjs-cloacina': ['default', 'tuned'],
  'pg-boss': ['batches, chained by hand'],
  'graphile-worker': ['fast'],
  DBOS: ['fast'],
};
const ITEMS = 100_000;
/** Of DBOS, whose children are started one by one: what it does in some seconds says as much. */
const ITEMS_ONE_BY_ONE = 5_000;

export const mapOfThousand = throughputOf({
  name: 'map-1000',
  title: 'A map of 1,000 items, and a task after it',
  shape: map(1_000),
  contenders: CONTENDERS,
});

export const mapOfHundredThousand = {
  name: 'map-100000',
  title: 'A map of 100,000 items, and a task after it',
  unit: 'items/s',
  higherIsBetter: true,
  main: 'perSecond',
  columns: [
    ['ms', 'ms for all'],
    ['usedMB', 'heap in use, MB more'],
    ['heapMB', 'with garbage'],
  ],
  async run({ server, rounds, quick, log }) {
    const entries = await entriesOf(CONTENDERS);
    const measure = (entry) => {
      const items = entry.name === 'DBOS' ? ITEMS_ONE_BY_ONE : ITEMS;
      return measureMap({ server, entry, shape: map(quick ? items / 20 : items) });
    };
    const rows = await interleave({ entries, rounds, main: 'perSecond', measure, log });
    return { rows, notes: [`DBOS: a map of only ${ITEMS_ONE_BY_ONE} items`] };
  },
};

/** What a map does to others, and how fast it can be stopped. */
export const mapControl = {
  name: 'map-control',
  title:
    'A map of 100,000 items: others beside it, its cancel, and its first failure with failFast',
  unit: 'ms',
  higherIsBetter: false,
  main: 'cancelMs',
  columns: [
    ['lastBeginMs', 'the last item begins after a failure'],
    ['failedMs', 'the map has failed after it'],
    ['mapMs', 'ms of the map beside others'],
    ['p95Before', 'p95 of ten callers before'],
    ['p95During', 'during it'],
    ['p95Ratio', 'during it to before'],
  ],
  async run({ server, rounds, quick, log }) {
    const entries = await entriesOf({ 'nestjs-cloacina': ['default'] });
    const items = quick ? ITEMS / 10 : ITEMS;
    const measure = (entry) => measureMapControls({ server, entry, items });
    return { rows: await interleave({ entries, rounds, main: 'cancelMs', measure, log }) };
  },
};
