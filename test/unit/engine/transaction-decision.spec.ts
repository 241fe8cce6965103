import { describe, expect, it } from '@jest/globals';
import { decideTransaction, tookMost } from '../../../lib/engine/waits/transaction-decision.js';
import type { FailureKind } from '../../../lib/runtime/failure.js';

const failure = (kind: FailureKind, mayBeWritten = false) => ({ kind, mayBeWritten });

describe('A transaction that failed', () => {
  it.each(['conflict', 'connection', 'passing', 'data', 'refused', 'bug'] as const)(
    'before its handler began, by a failure of the kind %s, costs no attempt',
    (kind) => {
      expect(decideTransaction('begin', failure(kind))).toBe('again');
    },
  );

  it.each([
    ['conflict', 'again'],
    ['connection', 'again'],
    ['passing', 'again'],
    ['data', 'unstorable'],
    ['refused', 'giveUp'],
    ['bug', 'giveUp'],
  ] as const)('at the outcome, by a failure of the kind %s: %s', (kind, decision) => {
    expect(decideTransaction('outcome', failure(kind))).toBe(decision);
  });

  it.each([
    ['conflict', false, 'again'],
    ['connection', false, 'again'],
    ['connection', true, 'lookUp'],
    ['data', false, 'attempt'],
    ['refused', false, 'attempt'],
    ['passing', false, 'attempt'],
  ] as const)(
    'at the COMMIT, by a failure of the kind %s, which may be written: %s, is decided: %s',
    (kind, mayBeWritten, decision) => {
      expect(decideTransaction('commit', failure(kind, mayBeWritten))).toBe(decision);
    },
  );
});

describe('A transaction that took longer than the server allows', () => {
  it('is charged to its handler where that took the most of it, and not where its outcome waited', () => {
    const handler = { begunAt: 1_000, handledAt: 5_500 };
    expect(tookMost(handler, 6_000)).toBe(true);
    expect(tookMost({ ...handler, handledAt: 1_700 }, 6_000)).toBe(false);
  });
});
