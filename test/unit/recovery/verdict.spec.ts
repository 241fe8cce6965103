import { describe, expect, it, test } from '@jest/globals';
import {
  assessLease,
  RECONNECT_GRACE_MS,
  type LeaseFacts,
  type Observer,
  type LeaseHealth,
} from '../../../lib/recovery/lease-health.js';

/** What a line of the table says of one input; a dash: it makes no difference. */
type Line = readonly [
  lockEpoch: 'same' | 'other' | 'none' | '-',
  lock: 'held' | 'missing' | '-',
  connected: 'yes' | 'no' | '-',
  over: 'yes' | 'no' | '-',
  /** Of the one who judges: has it a life of the server to compare with, and how old is that? */
  epoch: 'old' | 'young' | 'none' | '-',
  mayJudgeLeases: 'yes' | 'no' | '-',
  verdict: LeaseHealth,
];

// The first line that fits decides.
const TABLE: readonly Line[] = [
  // A missing lock of this life of the server proves it at once.
  ['same', 'missing', 'no', '-', 'old', '-', 'lockGone'],
  ['same', 'missing', 'no', '-', 'young', '-', 'lockGone'],
  // One of another life proves it when everybody has had the time to come back.
  ['other', 'missing', 'no', '-', 'old', '-', 'lockGone'],
  // Locks prove nothing else, so the lease decides, if it may be judged.
  ['-', '-', '-', 'yes', '-', 'yes', 'leaseOver'],
  ['-', 'held', '-', '-', '-', '-', 'alive'],
  ['-', 'missing', '-', '-', '-', '-', 'unsure'],
];

const HERE = 'this life';

interface Case {
  readonly lease: LeaseFacts;
  readonly from: Observer;
  readonly words: Line;
}

function* allCases(): Generator<Case> {
  for (const lockEpoch of ['same', 'other', 'none'] as const)
    for (const lock of ['held', 'missing'] as const)
      for (const connected of ['yes', 'no'] as const)
        for (const over of ['yes', 'no'] as const)
          for (const epoch of ['old', 'young', 'none'] as const)
            for (const may of ['yes', 'no'] as const) {
              yield {
                words: [lockEpoch, lock, connected, over, epoch, may, 'unsure'],
                lease: {
                  lockEpoch: { same: HERE, other: 'another life', none: null }[lockEpoch],
                  lockHeld: lock === 'held',
                  connected: connected === 'yes',
                  over: over === 'yes',
                },
                from: {
                  epoch: epoch === 'none' ? null : HERE,
                  epochAgeMs: epoch === 'young' ? RECONNECT_GRACE_MS - 1 : RECONNECT_GRACE_MS,
                  mayJudgeLeases: may === 'yes',
                },
              };
            }
}

function expected(words: Line): LeaseHealth {
  const fits = (line: Line): boolean =>
    line.slice(0, 6).every((word, i) => word === '-' || word === words[i]);
  const line = TABLE.find(fits);
  if (line === undefined) throw new Error(`No line for ${words.join(', ')}`);
  return line[6];
}

describe('judge', () => {
  const cases = [...allCases()];

  const named = cases.map(
    (one) => [one.words.slice(0, 6).join(' '), expected(one.words), one] as const,
  );
  test.each(named)('lock of %s: %s', (_, verdict, { lease, from }) => {
    expect(assessLease(lease, from)).toBe(verdict);
  });

  it('comes to each of its verdicts', () => {
    expect(cases).toHaveLength(144);
    expect(new Set(cases.map(({ lease, from }) => assessLease(lease, from)))).toEqual(
      new Set<LeaseHealth>(['alive', 'lockGone', 'leaseOver', 'unsure']),
    );
  });

  it('needs no grace for a lock that was taken in the life of the server that it sees', () => {
    const lease = { lockEpoch: HERE, lockHeld: false, connected: false, over: false };
    const from = { epoch: HERE, epochAgeMs: 0, mayJudgeLeases: false };
    expect(assessLease(lease, from)).toBe('lockGone');
  });
});
