import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { removeStaleLock, runningServer } from './processes.mjs';

export const keeperScript = fileURLToPath(new URL('keeper.mjs', import.meta.url));

/**
 * Starts a server on a data folder, on a free port of the loopback interface, kept for as long as this process
 * lives. Undefined when another process has started one on the same folder in between.
 */
export async function startServer({
  binaries,
  account,
  directory,
  settings,
  log,
  removeAfterwards,
}) {
  for (let attempt = 1; ; attempt++) {
    const port = await freePort();
    removeStaleLock(directory);
    const keeper = spawnKeeper({
      command: path.join(binaries, 'postgres'),
      args: commandLine(directory, port, settings),
      account,
      log,
      removeAfterwards,
    });
    if (await isReady(keeper, directory)) return { port, stop: () => stop(keeper) };
    if (runningServer(directory) !== undefined) return undefined;
    // The port may have been taken in between, or the last backends of a killed server not be gone yet.
    if (attempt === 5) throw new Error(`PostgreSQL does not start:\n${readFileSync(log, 'utf8')}`);
    await sleep(500);
  }
}

function commandLine(directory, port, settings) {
  const all = {
    port,
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '', // their paths are limited to about 100 bytes
    ...settings,
  };
  return [
    '-D',
    directory,
    ...Object.entries(all).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
  ];
}

function spawnKeeper(orders) {
  const keeper = spawn(process.execPath, [keeperScript, JSON.stringify(orders)], {
    cwd: '/',
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  keeper.stdin.on('error', () => {}); // it has ended already
  // Neither keeps this process alive: it is the other way round.
  keeper.unref();
  keeper.stdin.unref();
  return keeper;
}

async function isReady(keeper, directory) {
  while (keeper.exitCode === null && keeper.signalCode === null) {
    const server = runningServer(directory);
    if (server?.ready && server.keeper === keeper.pid) return true;
    await sleep(20);
  }
  return false;
}

function stop(keeper) {
  if (keeper.exitCode !== null || keeper.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => {
    keeper.ref();
    keeper.once('exit', () => resolve());
    keeper.stdin.end();
  });
}

function freePort() {
  return new Promise((resolve, reject) => {
    const probe = createServer().once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
}
