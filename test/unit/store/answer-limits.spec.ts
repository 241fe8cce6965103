import { afterEach, expect, it, jest } from '@jest/globals';
import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import type pg from 'pg';
import { gate } from '../../support/gate.js';
import { inPoolTransaction } from '../../../lib/store/postgres/connections/pool-transaction.js';
import { runUnprepared } from '../../../lib/store/postgres/tenant-statements.js';

/** The limit with which the statement was sent, in milliseconds. */
async function limitOf(answer?: { readonly query_timeout?: number }): Promise<unknown> {
  let sent: object = {};
  const client = {
    query: async (config: object) => {
      sent = config;
      return { rows: [] };
    },
  } as unknown as pg.ClientBase;
  await runUnprepared(client, 'SELECT 1', [], answer);
  return Reflect.get(sent, 'query_timeout');
}

it('a statement for many tenants waits for the answer no longer than any other', async () => {
  expect(await limitOf()).toBe(30_000);
});

it('a connection with a limit of its own keeps it', async () => {
  expect(await limitOf({})).toBeUndefined();
});

afterEach(() => {
  jest.useRealTimers();
});

it.each(['BEGIN', 'COMMIT'])(
  'a transaction closes a connection on which %s is not answered',
  async (silentAt) => {
    jest.useFakeTimers({ doNotFake: ['nextTick', 'queueMicrotask'] });
    const stream = new PassThrough();
    const reached = gate();
    let released: unknown;
    const client = {
      connection: { stream },
      on: () => undefined,
      off: () => undefined,
      release: (broken: unknown) => (released = broken),
      query: async (text: string) => {
        if (stream.destroyed) throw new Error('closed');
        if (text !== silentAt) return;
        reached.open();
        await once(stream, 'close');
        throw new Error('closed');
      },
    };
    const pool = { connect: async () => client } as unknown as pg.Pool;
    const result = inPoolTransaction(pool, async () => undefined);
    const told = expect(result).rejects.toThrow('closed');
    await reached.passed;
    jest.advanceTimersByTime(30_000);
    await told;
    expect(released).toBeInstanceOf(Error);
  },
);
