import { expect, it } from '@jest/globals';
import { closeAtEach } from '../integration/closing/closing-work.js';
import { everyPoint } from '../integration/closing/statement-points.js';

/** `npm test` has a few of the points. */
it.each([
  { shutdownTimeoutMs: 5_000, every: 1 },
  // Handlers are not waited for: their signals abort.
  { shutdownTimeoutMs: 0, every: 3 },
])(
  'A close at any point of the work leaves no claim, no lease and no charge behind (%o)',
  async ({ shutdownTimeoutMs, every }) => {
    const { reached, left } = await closeAtEach(everyPoint(every), { shutdownTimeoutMs });
    expect(left).toEqual([]);
    // The work has some eighty points.
    expect(reached * every).toBeGreaterThan(40);
  },
  600_000,
);
