import os from 'node:os';
import { readFileSync } from 'node:fs';

/** Load of other programs, as a share of one core, from which a machine does not count as quiet. */
const BUSY_LOAD = 0.5;
/** The same as a share of all cores, measured during a run. */
const BUSY_SHARE = 0.05;

/** A sentence if the machine had other work before the run; undefined if it was quiet. */
export function loadWarning(load = os.loadavg()[0]) {
  if (load <= BUSY_LOAD) return undefined;
  return `WARNING: the load average is ${load.toFixed(2)}, so the machine is not quiet. Rates and latencies say little; compare costs instead.`;
}

/**
 * Measures what other programs take of the processors from now on. `own` returns the milliseconds of processor time of
 * the benchmark's processes so far. The returned function tells the others' share, from 0 to 1; undefined where there is no /proc.
 */
export function watchOthers(own) {
  const before = { busy: busyMs(), own: own(), at: performance.now() };
  return () => {
    const busy = busyMs();
    if (busy === undefined || before.busy === undefined) return undefined;
    const others = busy - before.busy - (own() - before.own);
    const all = (performance.now() - before.at) * os.availableParallelism();
    return Math.max(0, others / all);
  };
}

/** A sentence if others have taken a considerable share of the processors. */
export function othersWarning(share) {
  if (share === undefined || share <= BUSY_SHARE) return undefined;
  return `WARNING: other programs took ${Math.round(share * 100)} % of the processors during the run.`;
}

/** Milliseconds in which the processors worked since the machine was booted. */
function busyMs() {
  try {
    const [line] = readFileSync('/proc/stat', 'utf8').split('\n');
    const [user, nice, system, , , irq, softirq] = line.trim().split(/\s+/).slice(1).map(Number);
    return (user + nice + system + irq + softirq) * 10;
  } catch {
    return undefined;
  }
}
