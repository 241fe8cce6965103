import { beforeEach, describe, expect, it } from '@jest/globals';
import { CompletionWait } from '../../../lib/engine/completion/completion-wait.js';
import type { StartFacts } from '../../../lib/engine/memory/execution-cache.js';

let now: number;
let isActive: boolean;
let hears: boolean;
let over: CompletionWait[];
/** The reads that have no answer yet. */
let reads: ((status: string | undefined) => void)[];
beforeEach(() => {
  now = 0;
  isActive = false;
  hears = true;
  over = [];
  reads = [];
});

const FACTS: StartFacts = { idempotencyKey: null, tags: null };

function wait(start?: StartFacts): CompletionWait {
  const surroundings = {
    isActive: () => isActive,
    statusOf: () => new Promise<string | undefined>((resolve) => reads.push(resolve)),
    hearsEnds: () => hears,
    now: () => now,
  };
  return new CompletionWait('e', start, surroundings, (ended) => over.push(ended));
}

describe('CompletionWait', () => {
  it('ends once, by what comes first', async () => {
    const own = wait();
    own.tellEnded();
    own.cancel(new Error('late'));
    expect(await own.ended).toBe('ended');
    expect(over).toEqual([own]);
  });

  it('ends by a read of an ended or a missing execution', async () => {
    const ended = wait();
    ended.look();
    reads[0]!('Failed');
    expect(await ended.ended).toBe('ended');
    const missing = wait();
    missing.look();
    reads[1]!(undefined);
    expect(await missing.ended).toBe('missing');
  });

  it('goes on waiting after a read of an execution that runs', async () => {
    const own = wait();
    own.look();
    reads[0]!('Running');
    await new Promise(setImmediate);
    own.cancel(new Error('closed'));
    await expect(own.ended).rejects.toThrow('closed');
  });

  it('reads again for a reason that came during a read, and not more than once', async () => {
    const own = wait();
    own.look();
    own.look();
    own.look();
    expect(reads).toHaveLength(1);
    reads[0]!('Running');
    await new Promise(setImmediate);
    expect(reads).toHaveLength(2);
    reads[1]!('Completed');
    expect(await own.ended).toBe('ended');
  });

  it('does not read an execution in which this process has claims', () => {
    isActive = true;
    wait().look();
    expect(reads).toEqual([]);
  });

  it('does not read before the start is stored, and then only if nothing tells of the end', () => {
    const told = wait(FACTS);
    told.look();
    told.stored(true);
    expect(reads).toEqual([]);
    const untold = wait(FACTS);
    untold.stored(false);
    expect(reads).toHaveLength(1);
  });

  /** The times of the reads until `end`, by a look each second. */
  async function readsUntil(end: number): Promise<number[]> {
    const own = wait();
    const times: number[] = [];
    for (now = 0; now <= end; now += 1_000) {
      own.lookIfDue(now);
      for (const answer of reads.splice(0)) {
        times.push(now / 1_000);
        answer('Running');
        await new Promise(setImmediate);
      }
    }
    return times;
  }

  it('reads in pauses that double up to a minute', async () => {
    expect(await readsUntil(200_000)).toEqual([1, 3, 7, 15, 31, 63, 123, 183]);
  });

  it('reads every five seconds where notifications do not arrive', async () => {
    hears = false;
    expect(await readsUntil(20_000)).toEqual([1, 6, 11, 16]);
  });

  it('fails with the failure of a read', async () => {
    const failing = new CompletionWait(
      'e',
      undefined,
      {
        isActive: () => false,
        statusOf: () => Promise.reject(new Error('away')),
        hearsEnds: () => true,
        now: () => now,
      },
      (ended) => over.push(ended),
    );
    failing.look();
    await expect(failing.ended).rejects.toThrow('away');
    expect(over).toEqual([failing]);
  });
});
