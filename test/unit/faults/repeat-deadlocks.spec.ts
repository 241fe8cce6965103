import { expect, it } from '@jest/globals';
import { repeatDeadlocks } from '../../support/repeat-deadlocks.js';

function failing(times: number, code: string): () => Promise<string> {
  let sent = 0;
  return async () => {
    if (sent++ < times) throw Object.assign(new Error('ended by the server'), { code });
    return `sent ${sent} times`;
  };
}

it('sends what the server has ended to break a deadlock until it passes', async () => {
  expect(await repeatDeadlocks(failing(2, '40P01'))).toBe('sent 3 times');
});

it('lets any other failure pass', async () => {
  await expect(repeatDeadlocks(failing(1, '42P01'))).rejects.toThrow('ended by the server');
});
