import { expect, test } from '@jest/globals';
import { ClaimBatches } from '../../../lib/store/postgres/claim-batches.js';

test('a list is deleted once all its claims have ended, by a statement that deletes', () => {
  const batches = new ClaimBatches();
  const first = batches.open();
  const batch = first.stored(2);
  batch?.claimEnded();
  expect(batches.open(true).ended).toEqual([]);
  batch?.claimEnded();
  expect(batches.open().ended).toEqual([]);
  expect(batches.open(true).ended).toEqual([first.no]);
  expect(batches.open(true).ended).toEqual([]);
});

test('a statement that claimed nothing has no list', () => {
  expect(new ClaimBatches().open().stored(0)).toBeUndefined();
});

test('numbers are not used twice, and a statement that failed leaves its deletions to the next', () => {
  const batches = new ClaimBatches();
  const first = batches.open();
  first.stored(1)?.claimEnded();
  const second = batches.open(true);
  second.failed();
  const third = batches.open(true);
  expect(third.ended).toEqual([first.no]);
  expect(new Set([first.no, second.no, third.no]).size).toBe(3);
});
