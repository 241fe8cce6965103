/** Milliseconds of a clock that all processes of the machine share. */
export function sharedNow() {
  return Number(process.hrtime.bigint()) / 1e6;
}

/** When the handlers of a process began and ended, by key. */
export class SlotAudit {
  #runs = [];

  /** Runs a handler for a key. */
  async run(key, work) {
    const began = sharedNow();
    await work();
    this.#runs.push([key, began, sharedNow()]);
  }

  /** All runs so far, each as key, begin and end. They are forgotten here. */
  take() {
    return this.#runs.splice(0);
  }
}

/**
 * What the runs of all processes come to.
 *
 * - `over`: runs that began while as many as the limit of their key ran already.
 * - `most`: the highest number of runs of one key at a time.
 */
export function admissions(runs, perKey) {
  const events = runs.flatMap(([key, began, ended]) => [
    [began, 1, key],
    [ended, -1, key],
  ]);
  // An end at the same moment as a begin comes first.
  events.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  const running = new Map();
  let over = 0;
  let most = 0;
  for (const [, change, key] of events) {
    const now = (running.get(key) ?? 0) + change;
    running.set(key, now);
    if (change > 0 && now > perKey) over++;
    most = Math.max(most, now);
  }
  return { over, most };
}

/** The part of the time of all slots in which handlers ran, from `from` until the first key has no more work, in percent. */
export function utilization(runs, perKey, from) {
  const lastBegin = new Map();
  for (const [key, began] of runs) lastBegin.set(key, Math.max(lastBegin.get(key) ?? 0, began));
  const until = Math.min(...lastBegin.values());
  const busy = runs.reduce(
    (sum, [, began, ended]) => sum + Math.max(0, Math.min(ended, until) - Math.max(began, from)),
    0,
  );
  return (busy / (perKey * lastBegin.size * (until - from))) * 100;
}

/** Jain's index: 1 if all have the same, 1/n if one has everything. */
export function jain(values) {
  const sum = values.reduce((total, value) => total + value, 0);
  const squares = values.reduce((total, value) => total + value ** 2, 0);
  return squares === 0 ? 1 : sum ** 2 / (values.length * squares);
}

/** The highest number of instants in any second of them. Sorted milliseconds. */
export function mostInASecond(instants) {
  let most = 0;
  for (let first = 0, last = 0; last < instants.length; last++) {
    while (instants[last] - instants[first] >= 1_000) first++;
    most = Math.max(most, last - first + 1);
  }
  return most;
}
