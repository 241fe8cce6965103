import { beforeEach, describe, expect, it } from '@jest/globals';
import type pg from 'pg';
import { FairConnectionPool } from '../../../lib/store/postgres/connections/fair-connection-pool.js';
import { ManualClock } from '../../../lib/testing/manual-clock.js';

const MAX_HOME_WAIT_MS = 1_000;

let clock: ManualClock;
let connections: FairConnectionPool;
/** The tenants whose statements began, in order. */
let begun: string[];
/** What ends the statements that run, in the order in which they began. */
let ends: (() => void)[];
beforeEach(() => {
  clock = new ManualClock();
  [begun, ends] = [[], []];
});

/** Pools with that many connections each, all of them open. */
function pools(...sizes: number[]): void {
  const opened = sizes.map((max) => ({
    options: { max },
    totalCount: max,
    idleCount: max,
    connect: async () => ({ release: () => undefined }),
  }));
  connections = new FairConnectionPool(opened as unknown as pg.Pool[], clock, MAX_HOME_WAIT_MS);
}

async function send(name: string, tenant: object, statements: number): Promise<void> {
  for (let n = 0; n < statements; n++) {
    void connections.withConnection(tenant, () => {
      begun.push(name);
      return new Promise<void>((resolve) => ends.push(resolve));
    });
  }
  await clock.advance(0);
}

/** Ends the statements one after the other, the oldest first, until none is left. */
async function endAll(): Promise<void> {
  for (let end = ends.shift(); end !== undefined; end = ends.shift()) {
    end();
    await clock.advance(0);
  }
}

describe('A connection that comes free', () => {
  it('goes to the tenants in turn, whatever each of them has waiting', async () => {
    pools(1);
    const [a, b, c] = [{}, {}, {}];
    await send('a', a, 6);
    await send('b', b, 2);
    await send('c', c, 3);
    await endAll();
    expect(begun.join('')).toBe('aabcabcacaa');
  });

  it('goes to a tenant that comes late after one statement of each of the others', async () => {
    pools(1);
    await send('a', {}, 50);
    await send('b', {}, 50);
    await send('late', {}, 1);
    await endAll();
    expect(begun.indexOf('late')).toBe(3);
    expect(begun).toHaveLength(101);
  });

  it('goes in turn to those who have waited too long for their own one', async () => {
    pools(1, 1);
    await send('a', {}, 1);
    await send('b', {}, 1);
    // Tenants have affinity to the pools in turn: "c" and "d" wait for the connection of "a", whose statement takes long.
    await send('c', {}, 3);
    await send('e', {}, 1);
    await send('d', {}, 3);
    await clock.advance(MAX_HOME_WAIT_MS + 1);
    const [ofA] = ends.splice(0, 1);
    await endAll();
    expect(begun.join('')).toBe('abcedcdcd');
    ofA!();
  });
});
