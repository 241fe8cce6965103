import { expect, it } from '@jest/globals';
import { MessageSender } from '../../../lib/engine/messages/message-sender.js';
import { QueuedBytes } from '../../../lib/engine/starts/queued-bytes.js';
import type { SignalMessage } from '../../../lib/store/port/index.js';
import { MemoryFailure } from '../../../lib/testing/memory-store/index.js';
import { EngineScene } from './engine-scene.js';

it('Signals that wait for the database are bounded in bytes, and no longer than they wait', async () => {
  const scene = new EngineScene();
  const queuedBytes = new QueuedBytes(100);
  const sender = new MessageSender({
    clock: scene.clock,
    tenant: 't',
    store: scene.store,
    waker: { send: () => Promise.reject(new MemoryFailure('connection', 'away')) },
    queuedBytes,
    timeoutMs: 1_000,
    notification: '',
    startedBy: () => [],
    delivery: { deliver: () => undefined, look: () => undefined },
  });
  const send = (payload: string): Promise<unknown> =>
    sender.send({ kind: 'signal', name: 's', payload } as SignalMessage, false);
  const first = expect(send('x'.repeat(60))).rejects.toMatchObject({
    code: 'DATABASE_UNAVAILABLE',
  });
  const second = send('x'.repeat(60));
  await expect(second).rejects.toThrow(/limit/);
  expect([queuedBytes.bytes, queuedBytes.count]).toEqual([60, 1]);
  for (let ms = 0; ms < 2_000; ms += 50) await scene.clock.advance(50);
  await first;
  expect([queuedBytes.bytes, queuedBytes.count]).toEqual([0, 0]);
});
