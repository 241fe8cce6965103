const BATCH_BYTES = 8 * 2 ** 20;

/** Makes `count` calls by `callers` callers, each of which waits for one call before the next. */
export async function withCallers(callers, count, call) {
  let left = count;
  const caller = async () => {
    while (left-- > 0) await call();
  };
  await Promise.all(Array.from({ length: Math.min(callers, count) }, caller));
}

/** The same for calls that take many at once, two at a time: one on its way while the other is made. */
export async function inBatches(size, count, call) {
  let left = count;
  const caller = async () => {
    while (left > 0) {
      const length = Math.min(size, left);
      left -= length;
      await call(length);
    }
  };
  await Promise.all([caller(), caller()]);
}

/** How many to a call: fewer where each is large, or a call would be hundreds of megabytes. */
export function batchSize(most, { payloadBytes = 0 }) {
  return Math.max(1, Math.min(most, Math.floor(BATCH_BYTES / Math.max(1, payloadBytes))));
}

/** Shares the calls out to all of them at once. */
export async function spread(all, count, call) {
  await Promise.all(
    all.map((one, no) => {
      const share = Math.floor((count + no) / all.length);
      return share === 0 ? undefined : call(one, share);
    }),
  );
}
