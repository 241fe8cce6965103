import { existsSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Whether a process runs, and is the one meant: its number may belong to another one by now. A zombie, which has ended
 * without a wait of its parent, no longer has a command line, and doesn't count.
 */
export function isAlive(pid, argument = '') {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if (error.code !== 'EPERM') return false;
  }
  if (!existsSync('/proc/self/cmdline')) return true;
  try {
    const commandLine = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
    return commandLine !== '' && commandLine.includes(argument);
  } catch {
    return false;
  }
}

/** What the server that runs on a data folder says of itself; undefined when none does. */
export function runningServer(directory) {
  let lines;
  try {
    lines = readFileSync(path.join(directory, 'postmaster.pid'), 'utf8').split('\n');
  } catch {
    return undefined;
  }
  const pid = Number(lines[0]);
  if (!(pid > 1) || !isAlive(pid, directory)) return undefined;
  return {
    pid,
    port: Number(lines[3]),
    ready: lines[7]?.trim() === 'ready',
    keeper: keeperOf(directory),
  };
}

/** The keeper's process, which it gave the server as a setting; the server writes down how it was started. */
function keeperOf(directory) {
  try {
    const options = readFileSync(path.join(directory, 'postmaster.opts'), 'utf8');
    return Number(/cloacina\.keeper=(\d+)/.exec(options)?.[1]);
  } catch {
    return undefined;
  }
}

/**
 * Removes what a killed server left, when its process number now belongs to another process: PostgreSQL compares
 * nothing but the number, and would not start.
 */
export function removeStaleLock(directory) {
  if (runningServer(directory) !== undefined) return;
  const file = path.join(directory, 'postmaster.pid');
  if (existsSync(file) && parseInt(readFileSync(file, 'utf8'), 10) > 1)
    rmSync(file, { force: true });
}

/** Stops a server: in good order, then roughly, then by force. */
export async function stopServer(directory) {
  for (const [signal, patience] of [
    ['SIGINT', 10_000],
    ['SIGQUIT', 5_000],
    ['SIGKILL', 5_000],
  ]) {
    const server = runningServer(directory);
    if (server === undefined) return;
    signalProcess(server.pid, signal);
    if (await isGone(() => runningServer(directory), patience)) return;
  }
  throw new Error(`The PostgreSQL server of ${directory} can't be stopped.`);
}

async function isGone(look, patience) {
  for (const end = Date.now() + patience; Date.now() < end; await sleep(20)) {
    if (look() === undefined) return true;
  }
  return false;
}

function signalProcess(pid, signal) {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (error.code !== 'ESRCH') throw error;
  }
}
