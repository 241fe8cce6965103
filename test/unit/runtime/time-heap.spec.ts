import { expect, it } from '@jest/globals';
import fc from 'fast-check';
import { TimeHeap } from '../../../lib/runtime/time-heap.js';

it('gives back what was added, the earliest first, while more is added', () => {
  const times = fc.array(fc.tuple(fc.integer({ min: 0, max: 50 }), fc.boolean()), {
    maxLength: 200,
  });
  fc.assert(
    fc.property(times, (steps) => {
      const heap = new TimeHeap<number>();
      const left: number[] = [];
      const takeOne = (): void => {
        const earliest = left.length === 0 ? undefined : Math.min(...left);
        expect(heap.nextAt).toBe(earliest ?? Infinity);
        expect(heap.take()?.at).toBe(earliest);
        if (earliest !== undefined) left.splice(left.indexOf(earliest), 1);
      };
      for (const [item, [at, takes]] of steps.entries()) {
        heap.add(item, at);
        left.push(at);
        if (takes) takeOne();
      }
      while (left.length > 0) takeOne();
      takeOne();
    }),
  );
});
