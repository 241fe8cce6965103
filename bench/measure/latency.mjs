/**
 * Milliseconds from the call until the start is accepted and until the end is recorded, for a contender that tells
 * nobody of the latter: once the last handler has returned, the database is asked until it says so, each time at once.
 */
export async function timeUntilRecorded({ handled, accept, isUnfinished }) {
  const done = handled.next();
  const began = performance.now();
  const id = await accept();
  const accepted = performance.now();
  await done;
  while (await isUnfinished(id));
  return { accepted: accepted - began, completed: performance.now() - began };
}
