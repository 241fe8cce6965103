import { randomFillSync } from 'node:crypto';
import { v7 as uuid } from 'uuid';
import type { Clock } from '../runtime/clock.js';

const BYTES_PER_ID = 16;
/** A call for random bytes costs ten times what the rest of an id does, however few they are: so many ids share one. */
const IDS_PER_DRAW = 256;

const bytes = Buffer.alloc(BYTES_PER_ID * IDS_PER_DRAW);
let used = bytes.length;
let msecs = 0;
let seq = 0;

/** A UUID v7. Those of one process ascend, so that the index grows at its end; nothing else depends on their order. */
export function newExecutionId(clock: Pick<Clock, 'wallTime'>): string {
  const random = nextRandom();
  const now = clock.wallTime();
  if (now > msecs) {
    msecs = now;
    // Half of its range, so that it doesn't run over within the millisecond.
    seq = random.readUInt32LE() >>> 1;
  } else {
    seq++;
  }
  return uuid({ random, msecs, seq });
}

function nextRandom(): Buffer {
  if (used === bytes.length) {
    randomFillSync(bytes);
    used = 0;
  }
  return bytes.subarray(used, (used += BYTES_PER_ID));
}
