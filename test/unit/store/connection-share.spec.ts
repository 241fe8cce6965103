import { describe, expect, it } from '@jest/globals';
import { connectionShare } from '../../../lib/store/postgres/connections/connection-share.js';

const USABLE = 97;
const MIN_POOL = 3;

/** Connections of all processes together: their pools, at most of the default size, and their control connections. */
function allConnections(processes: number): number {
  const pool = Math.min(10, Math.max(MIN_POOL, connectionShare(USABLE, processes)));
  return processes * (pool + 1);
}

describe("A process's share of the connections of a default server", () => {
  it.each([
    [1, 31],
    [6, 11],
    [16, 4],
    [20, 3],
  ])('with %d processes is %d', (processes, share) => {
    expect(connectionShare(USABLE, processes)).toBe(share);
  });

  it('fits for up to twenty processes, with room for one more to start', () => {
    for (let processes = 1; processes <= 20; processes++) {
      expect(allConnections(processes) + MIN_POOL + 1).toBeLessThanOrEqual(USABLE);
    }
  });
});
