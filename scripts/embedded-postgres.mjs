import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  linkSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statfsSync,
  writeFileSync,
} from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { canUse, serverAccount } from './postgres/account.mjs';
import { embeddedBinaries, majorVersion } from './postgres/binaries.mjs';
import { ensureCluster, trustOwner } from './postgres/cluster.mjs';
import { placeOf } from './postgres/place.mjs';
import { isAlive, runningServer, stopServer } from './postgres/processes.mjs';
import { keeperScript, startServer } from './postgres/server.mjs';

const checkout = path.resolve(import.meta.dirname, '..');
const ephemeralPrefix = `nestjs-cloacina-${process.getuid?.() ?? 'user'}-run-`;

/**
 * The checkout's own server, whose data stay. Where another process of this checkout runs it already, that one is
 * used; one that killed processes left behind is replaced.
 */
export async function startPersistentServer({ settings = {} } = {}) {
  const account = serverAccount();
  const place = placeOf(checkout, account);
  const binaries = embeddedBinaries(account, place);
  const directory = path.join(place, `data-${majorVersion(binaries)}`);
  const log = path.join(place, 'server.log');
  const password = persistentPassword(path.join(place, 'password'));

  for (const end = Date.now() + 60_000; Date.now() < end; await sleep(100)) {
    const running = runningServer(directory);
    if (running === undefined) {
      ensureCluster({ binaries, account, directory, password, sync: true });
      const server = await startServer({ binaries, account, directory, settings, log });
      if (server) return { url: urlOf(server.port, password), directory, stop: server.stop };
    } else if (running.ready) {
      if (!isAlive(running.keeper, keeperScript)) await stopServer(directory);
      else return { url: urlOf(running.port, password), directory, stop: () => Promise.resolve() };
    }
  }
  throw new Error(`The PostgreSQL server of ${directory} neither starts nor stops; see ${log}.`);
}

/**
 * A new, empty server that is gone, data and all, when this process ends. `binaries`: of another PostgreSQL. `inMemory`:
 * its data are in memory, where the system has enough. `trusted`: the owner's password is not asked for.
 */
export async function startEphemeralServer({
  settings = {},
  binaries,
  inMemory = false,
  trusted = false,
} = {}) {
  const account = serverAccount();
  const temporary = temporaryFolder(account);
  const base = inMemory && hasRoom(MEMORY, account) ? MEMORY : temporary;
  for (const folder of new Set([temporary, base])) await removeLeftovers(folder);
  const place = mkdtempSync(path.join(base, `${ephemeralPrefix}${process.pid}-`));
  try {
    chmodSync(place, 0o755); // for the server's account
    const directory = path.join(place, 'data');
    const password = randomBytes(12).toString('hex');
    binaries ??= embeddedBinaries(account, placeOf(checkout, account));
    ensureCluster({ binaries, account, directory, password, sync: false });
    if (trusted) trustOwner(directory);
    const log = path.join(place, 'server.log');
    const server = await startServer({
      binaries,
      account,
      directory,
      settings,
      log,
      removeAfterwards: place,
    });
    return { url: urlOf(server.port, password), directory, stop: server.stop };
  } catch (error) {
    rmSync(place, { recursive: true, force: true });
    throw error;
  }
}

/** TMPDIR may be a folder that only its owner can enter. */
function temporaryFolder(account) {
  const found = [os.tmpdir(), '/tmp', '/var/tmp'].find((folder) => canUse(account, folder));
  if (found === undefined) throw new Error('PostgreSQL can use no temporary folder.');
  return found;
}

/** Where Linux keeps files in memory. */
const MEMORY = '/dev/shm';
const TMPFS = 0x01021994;
/** Bytes: more than a run of the tests writes, its write-ahead log included. */
const ROOM = 4 * 2 ** 30;

/** Whether the folder is in memory, with room for a run's data, and leaves as much memory for the run itself. */
function hasRoom(folder, account) {
  if (!existsSync(folder) || !canUse(account, folder)) return false;
  const { type, bavail, bsize } = statfsSync(folder);
  return type === TMPFS && bavail * bsize >= ROOM && process.availableMemory() >= 2 * ROOM;
}

/** What runs left whose keeper was killed as well. */
async function removeLeftovers(base) {
  for (const name of readdirSync(base)) {
    if (!name.startsWith(ephemeralPrefix)) continue;
    if (isAlive(parseInt(name.slice(ephemeralPrefix.length), 10))) continue;
    const place = path.join(base, name);
    await stopServer(path.join(place, 'data'));
    rmSync(place, { recursive: true, force: true });
  }
}

/** Local users are many; the server is one person's. The file appears whole or not at all. */
function persistentPassword(file) {
  if (!existsSync(file)) {
    const draft = `${file}.${process.pid}`;
    writeFileSync(draft, randomBytes(12).toString('hex'), { mode: 0o600 });
    try {
      linkSync(draft, file);
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
    } finally {
      rmSync(draft, { force: true });
    }
  }
  return readFileSync(file, 'utf8');
}

function urlOf(port, password) {
  return `postgres://postgres:${password}@127.0.0.1:${port}/postgres`;
}
