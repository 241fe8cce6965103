import { expect, it } from '@jest/globals';
import { ReadGate } from '../../../lib/dashboard/read-gate.js';
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

it('two groups of reads have a bound together, and take turns', async () => {
  let size = 1;
  const gate = new ReadGate(() => size);
  const limits = { total: 4, ofTenant: 4, waiting: 10 };
  const [kept, others] = [
    new Reads(new ReadSlots(limits, gate)),
    new Reads(new ReadSlots(limits, gate)),
  ];
  const [a1, a2] = [kept.start('a1'), kept.start('a2')];
  const [b1, b2] = [others.start('b1'), others.start('b2')];
  expect([kept.begun, others.begun]).toEqual([['a1'], []]);
  await kept.end('a1', a1);
  expect([kept.begun, others.begun]).toEqual([['a1'], ['b1']]);
  await others.end('b1', b1);
  expect([kept.begun, others.begun]).toEqual([['a1', 'a2'], ['b1']]);
  // The pool has grown.
  size = 2;
  const a3 = kept.start('a3');
  expect([kept.begun, others.begun]).toEqual([['a1', 'a2', 'a3'], ['b1']]);
  await kept.end('a2', a2);
  await kept.end('a3', a3);
  await others.end('b2', b2);
  // At least one read goes on, whatever the size.
  size = 0;
  const b3 = others.start('b3');
  expect(others.begun).toEqual(['b1', 'b2', 'b3']);
  await others.end('b3', b3);
});
