import { describe, expect, it } from '@jest/globals';
import { queueIsFull, startTimedOut } from '../../../lib/engine/starts/start-failures.js';
import type { StartRequest } from '../../../lib/engine/starts/start-request.js';
import {
  classifyFailure,
  MemoryFailure,
} from '../../../lib/testing/memory-store/memory-failure.js';
import { EngineScene } from './engine-scene.js';

const { definition } = new EngineScene();
const away = new MemoryFailure('connection', 'connect ECONNREFUSED');
const locked = new MemoryFailure('conflict', 'lock timeout', { isLockTimeout: true });

function timedOut(
  { key = null as string | null, isHeldHere = false },
  sending: { readonly sent: boolean; readonly waitedMs: number },
  cause: Error,
) {
  const request = { id: 'the-id', definition, idempotencyKey: key } as StartRequest;
  const start = {
    tenant: 't',
    request,
    startTimeoutMs: 1_000,
    store: { classifyFailure },
    isHeldHere,
  };
  return startTimedOut(start, sending, cause);
}

describe('startTimedOut', () => {
  it('has a start sent again until its time is over', () => {
    expect(timedOut({}, { sent: false, waitedMs: 999 }, away)).toBeUndefined();
    expect(timedOut({}, { sent: false, waitedMs: 1_000 }, away)).toBeDefined();
  });

  it('has a start that may be stored sent again for six times as long', () => {
    expect(timedOut({}, { sent: true, waitedMs: 5_999 }, away)).toBeUndefined();
    expect(timedOut({}, { sent: true, waitedMs: 6_000 }, away)).toBeDefined();
  });

  it('says that a start was certainly not stored', () => {
    const error = timedOut({}, { sent: false, waitedMs: 1_000.4 }, away);
    expect(error).toMatchObject({ waitedMs: 1_000, mayBeWritten: false, cause: away });
  });

  it('says how to find out about a start that may be stored', () => {
    const plain = timedOut({}, { sent: true, waitedMs: 6_000 }, away);
    expect(plain).toMatchObject({ mayBeWritten: true });
    expect(plain?.message).toMatch(/may or may not have been started.*get\('the-id'\)/);
    const keyed = timedOut({ key: 'k' }, { sent: true, waitedMs: 6_000 }, away);
    expect(keyed?.message).toMatch(/start it again with the same idempotency key\.$/);
  });

  it('says who holds the key', () => {
    const waited = { sent: false, waitedMs: 1_000 };
    const elsewhere = timedOut({ key: 'k' }, waited, locked);
    expect(elsewhere?.message).toMatch(/held its idempotency key "k".*pg_stat_activity/);
    const here = timedOut({ key: 'k', isHeldHere: true }, waited, locked);
    expect(here?.message).toMatch(/one of this process.*give it the same manager/);
    expect(here).toMatchObject({ reached: true });
  });
});

it('says how much waits when no more can', () => {
  const { message } = queueIsFull('t', { starts: 1, bytes: 3 * 1024 ** 2 });
  expect(message).toMatch(/with 1 start and 3 MiB of context\. Await some/);
});
