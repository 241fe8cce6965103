import { expect, it } from '@jest/globals';
import { sendInHalves } from '../../../lib/runtime/in-halves.js';

const sent: (readonly number[])[] = [];
async function send(part: readonly number[]): Promise<string[]> {
  sent.push(part);
  if (part.includes(7)) throw new Error('item');
  if (part.includes(9)) throw new Error('connection');
  return part.map(String);
}
const concernsAll = (error: unknown): boolean => (error as Error).message === 'connection';

it('sends items at once, and finds the one that fails', async () => {
  expect(await sendInHalves([1, 2, 3, 7, 5], send, concernsAll)).toEqual([
    '1',
    '2',
    '3',
    undefined,
    '5',
  ]);
  expect(sent).toEqual([[1, 2, 3, 7, 5], [1, 2], [3, 7, 5], [3], [7, 5], [7], [5]]);
});

it('throws an error that concerns all items, and sends nothing for none', async () => {
  await expect(sendInHalves([1, 9], send, concernsAll)).rejects.toThrow('connection');
  sent.length = 0;
  expect(await sendInHalves([], send, concernsAll)).toEqual([]);
  expect(sent).toEqual([]);
});
