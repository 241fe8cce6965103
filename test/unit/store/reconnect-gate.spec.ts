import { createServer, type AddressInfo, type Server } from 'node:net';
import { describe, expect, it } from '@jest/globals';
import { FairConnectionPool } from '../../../lib/store/postgres/connections/fair-connection-pool.js';
import { quietPool } from '../../../lib/store/postgres/connections/pools.js';
import { ReconnectGate } from '../../../lib/store/postgres/connections/reconnect-gate.js';

const AWAY = new Error('away');
const REFUSED = new Error('refused');

function gateAt(clock: { at: number }): ReconnectGate {
  return new ReconnectGate({ now: () => clock.at }, (error) => error === AWAY);
}

/** What stands before a server that is away: it closes each connection, and counts them. */
async function startProxy(): Promise<{ server: Server; port: number; attempts: () => number }> {
  let attempts = 0;
  const server = createServer((socket) => {
    attempts++;
    socket.destroy();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return { server, port, attempts: () => attempts };
}

describe('While a server is away', () => {
  it('callers share an attempt, and get its error for a moment', async () => {
    const clock = { at: 0 };
    const gate = gateAt(clock);
    let attempts = 0;
    const fail = () => {
      attempts++;
      return Promise.reject(AWAY);
    };
    const call = () => gate.connect(fail);
    await expect(call()).rejects.toBe(AWAY);
    for (let i = 0; i < 5; i++) await expect(call()).rejects.toBe(AWAY);
    expect(attempts).toBe(1);
    clock.at = 50;
    const results = await Promise.allSettled(Array.from({ length: 5 }, call));
    expect(results).toEqual(
      Array.from({ length: 5 }, () => ({ status: 'rejected', reason: AWAY })),
    );
    expect(attempts).toBe(2);
  });

  it('a caller that shares an attempt which succeeds goes on to connect', async () => {
    const clock = { at: 0 };
    const gate = gateAt(clock);
    await expect(gate.connect(() => Promise.reject(AWAY))).rejects.toBe(AWAY);
    clock.at = 50;
    let opened = 0;
    const open = async () => {
      await Promise.resolve();
      return ++opened;
    };
    expect(await Promise.all([1, 2, 3].map(() => gate.connect(open)))).toEqual([1, 2, 3]);
    expect(await gate.connect(open)).toBe(4);
  });

  it('an attempt that hangs keeps the next one for a second at most', async () => {
    const clock = { at: 0 };
    const gate = gateAt(clock);
    await expect(gate.connect(() => Promise.reject(AWAY))).rejects.toBe(AWAY);
    clock.at = 50;
    const hanging = gate.connect(() => new Promise<never>(() => undefined));
    clock.at += 1_000;
    expect(await gate.connect(() => Promise.resolve('open'))).toBe('open');
    expect(await gate.connect(() => Promise.resolve('again'))).toBe('again');
    void hanging;
  });

  it('a failure that is no matter of reaching it is the own one of a caller', async () => {
    const gate = gateAt({ at: 0 });
    await expect(gate.connect(() => Promise.reject(REFUSED))).rejects.toBe(REFUSED);
    expect(await gate.connect(() => Promise.resolve('open'))).toBe('open');
  });

  it('statements of many tenants make few attempts together', async () => {
    const { server, port, attempts } = await startProxy();
    const pools = [1, 2].map(() => quietPool({ host: '127.0.0.1', port, user: 'nobody', max: 1 }));
    const clock = { at: 0 };
    const turns = new FairConnectionPool(pools, { now: () => clock.at });
    const call = () => turns.withConnection({}, (client) => client.query('SELECT 1'));
    try {
      await Promise.allSettled(Array.from({ length: 100 }, call));
      // Those that begin before the first attempt has failed: one for each connection.
      expect(attempts()).toBe(2);
      clock.at = 50;
      const results = await Promise.allSettled(Array.from({ length: 100 }, call));
      expect(attempts()).toBe(3);
      expect(results.map(({ status }) => status)).not.toContain('fulfilled');
    } finally {
      await Promise.all(pools.map((pool) => pool.end()));
      await new Promise((resolve) => server.close(resolve));
    }
  });

  it('a pool that has all of its connections waits for one of them', async () => {
    const { server, port, attempts } = await startProxy();
    const pool = quietPool({ host: '127.0.0.1', port, user: 'nobody', max: 1 });
    const turns = new FairConnectionPool([pool], { now: () => 0 });
    const call = () => turns.withConnection({}, (client) => client.query('SELECT 1'));
    try {
      await expect(call()).rejects.toThrow();
      // What a pool says that is full. It can't tell whether its server is away.
      Object.defineProperty(pool, 'totalCount', { value: 1 });
      await expect(call()).rejects.toThrow();
      expect(attempts()).toBe(2);
    } finally {
      await pool.end();
      await new Promise((resolve) => server.close(resolve));
    }
  });
});
