import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { STATEMENTS } from '../../faults/workload/failpoints.js';

const folder = new URL('../../../lib/store/postgres/statements/', import.meta.url);
const files = readdirSync(folder).map((name) => readFileSync(new URL(name, folder), 'utf8'));

// A fault test that waits for a text which is in no statement any more fails long after, or not at all.
test.each(Object.entries(STATEMENTS).filter(([name]) => name !== 'commit'))(
  'The fault tests know the statement "%s" by a text that it alone has',
  (_, text) => {
    expect(files.filter((file) => file.includes(text))).toHaveLength(1);
  },
);
