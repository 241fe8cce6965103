import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';

/** Clock ticks a second in /proc/<pid>/stat: 100 on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;

/** Milliseconds of processor time of the server's processes, those that have ended included; null without /proc. */
export function cpuOfServer(directory) {
  try {
    const postmaster = Number(
      readFileSync(path.join(directory, 'postmaster.pid'), 'utf8').split('\n')[0],
    );
    let ticks = 0;
    for (const pid of readdirSync('/proc')) {
      if (!/^\d+$/.test(pid)) continue;
      const stat = statOf(pid);
      if (stat === undefined) continue;
      if (Number(pid) === postmaster) ticks += stat.own + stat.ended;
      else if (stat.parent === postmaster) ticks += stat.own;
    }
    return (ticks * 1_000) / TICKS_PER_SECOND;
  } catch {
    return null;
  }
}

/** The same of this process and all that descend from it, the server among them; 0 without /proc. */
export function cpuOfDescendants() {
  const stats = new Map();
  try {
    for (const pid of readdirSync('/proc')) {
      const stat = /^\d+$/.test(pid) ? statOf(pid) : undefined;
      if (stat !== undefined) stats.set(Number(pid), stat);
    }
  } catch {
    return 0;
  }
  const descends = (pid) => {
    for (let at = pid; at !== undefined; at = stats.get(at)?.parent)
      if (at === process.pid) return true;
    return false;
  };
  let ticks = 0;
  for (const [pid, { own, ended }] of stats) if (descends(pid)) ticks += own + ended;
  return (ticks * 1_000) / TICKS_PER_SECOND;
}

function statOf(pid) {
  try {
    // The program's name, in parentheses, may hold anything; what follows is split by spaces.
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    const [user, system, endedUser, endedSystem] = fields.slice(11, 15).map(Number);
    return { parent: Number(fields[1]), own: user + system, ended: endedUser + endedSystem };
  } catch {
    return undefined; // it has ended in between
  }
}
