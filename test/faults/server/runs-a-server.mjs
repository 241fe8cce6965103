import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { canUse, serverAccount } from '../../../scripts/postgres/account.mjs';
import { embeddedBinaries } from '../../../scripts/postgres/binaries.mjs';
import { ensureCluster } from '../../../scripts/postgres/cluster.mjs';
import { placeOf } from '../../../scripts/postgres/place.mjs';
import { runningServer } from '../../../scripts/postgres/processes.mjs';
import { startServer } from '../../../scripts/postgres/server.mjs';

/** A server that the test stops and starts as it likes: its data stay until the test says that it is done. */
const checkout = path.resolve(import.meta.dirname, '../../..');
const account = serverAccount();
const base = [os.tmpdir(), '/tmp', '/var/tmp'].find((folder) => canUse(account, folder));
// The name under which the next run clears away what this one leaves when it is killed.
const user = process.getuid?.() ?? 'user';
const place = mkdtempSync(path.join(base, `nestjs-cloacina-${user}-run-${process.pid}-`));
chmodSync(place, 0o755);
const directory = path.join(place, 'data');
const password = randomBytes(12).toString('hex');
const binaries = embeddedBinaries(account, placeOf(checkout, account));
ensureCluster({ binaries, account, directory, password, sync: false });

async function start() {
  const log = path.join(place, 'server.log');
  const settings = { max_connections: 100 };
  const { port, stop } = await startServer({ binaries, account, directory, settings, log });
  process.send({ kind: 'started', port, password });
  return stop;
}

let stop = await start();

process.on('message', (message) => void obey(message));

async function obey({ order, downMs }) {
  if (order === 'close') {
    await stop();
    rmSync(place, { recursive: true, force: true });
    process.disconnect();
    return;
  }
  process.kill(runningServer(directory).pid, order === 'immediate' ? 'SIGQUIT' : 'SIGINT');
  // One that was told to stop while it recovered from a crash may never get there.
  const insist = Date.now() + 8_000;
  while (runningServer(directory) !== undefined) {
    const left = runningServer(directory);
    if (left !== undefined && Date.now() > insist) process.kill(left.pid, 'SIGQUIT');
    await sleep(10);
  }
  await sleep(downMs);
  stop = await start();
}
