import { expect, it } from '@jest/globals';
import { ReadSlots } from '../../../lib/dashboard/read-slots.js';

/** Reads that last until they are told to end. */
class Reads {
  readonly begun: string[] = [];
  private readonly ends = new Map<string, () => void>();

  constructor(private readonly slots: ReadSlots) {}

  start(name: string): Promise<string> {
    return this.slots.run(name[0]!, async () => {
      this.begun.push(name);
      await new Promise<void>((resolve) => this.ends.set(name, resolve));
      return name;
    });
  }

  async end(name: string, all: Promise<string>): Promise<void> {
    this.ends.get(name)!();
    await all;
  }
}

it('the reads of one tenant leave slots for the others', async () => {
  const reads = new Reads(new ReadSlots({ total: 3, ofTenant: 2, waiting: 10 }));
  const [a1, a2, a3, b1, b2] = ['a1', 'a2', 'a3', 'b1', 'b2'].map((name) => reads.start(name));
  expect(reads.begun).toEqual(['a1', 'a2', 'b1']);
  await reads.end('b1', b1!);
  expect(reads.begun).toEqual(['a1', 'a2', 'b1', 'b2']);
  await reads.end('a1', a1!);
  expect(reads.begun.at(-1)).toBe('a3');
  for (const [name, read] of [
    ['a2', a2],
    ['a3', a3],
    ['b2', b2],
  ] as const)
    await reads.end(name, read!);
});

it('more reads of a tenant than may wait are refused, and those of others are not', async () => {
  const reads = new Reads(new ReadSlots({ total: 2, ofTenant: 1, waiting: 1 }));
  const [first, second] = [reads.start('a1'), reads.start('a2')];
  await expect(reads.start('a3')).rejects.toMatchObject({ status: 503, code: 'TOO_MANY_READS' });
  const other = reads.start('b1');
  expect(reads.begun).toEqual(['a1', 'b1']);
  await reads.end('a1', first);
  await reads.end('a2', second);
  await reads.end('b1', other);
});

it('a read that fails gives its slot back', async () => {
  const slots = new ReadSlots({ total: 1, ofTenant: 1, waiting: 1 });
  await expect(slots.run('a', () => Promise.reject(new Error('no')))).rejects.toThrow('no');
  expect(await slots.run('a', async () => 'yes')).toBe('yes');
});
