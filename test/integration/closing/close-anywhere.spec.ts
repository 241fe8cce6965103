import { expect, it } from '@jest/globals';
import { closeAtEach } from './closing-work.js';
import { at } from './statement-points.js';

/** Points of each kind. `test/faults/close-anywhere.spec.ts` has them all. */

it.each([
  {
    shutdownTimeoutMs: 5_000,
    points: [
      at('before', 'WITH RECURSIVE level'), // a claim
      at('after', 'WITH RECURSIVE level'), // claimed, and not yet in memory
      at('after', 'SELECT x.id AS "id", x.input'), // before the handler
      at('before', 'WITH item'), // an outcome
      at('after', 'WITH item'),
      at('after', 'SELECT 0 AS "tenant", l.instance_id'), // recovery
      at('after', 'WITH orphan'),
      at('before', 'START TRANSACTION'),
      at('after', 'SELECT 1'), // a handler in its transaction
      at('before', 'COMMIT'),
    ],
  },
  // Handlers are not waited for: their signals abort.
  {
    shutdownTimeoutMs: 0,
    points: [
      at('after', 'WITH RECURSIVE level'),
      at('before', 'WITH item'),
      at('before', 'SELECT 1'),
      at('before', 'COMMIT'),
    ],
  },
])(
  'A close in the midst of the work leaves no claim, no lease and no charge behind ($shutdownTimeoutMs ms)',
  async ({ shutdownTimeoutMs, points }) => {
    expect(await closeAtEach(points, { shutdownTimeoutMs })).toEqual({
      reached: points.length,
      left: [],
    });
  },
);
