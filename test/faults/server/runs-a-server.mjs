import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { canUse, serverAccount } from '../../../scripts/postgres/account.mjs';
import { embeddedBinaries } from '../../../scripts/postgres/binaries.mjs';
import { ensureCluster, trustOwner } from '../../../scripts/postgres/cluster.mjs';
import { placeOf } from '../../../scripts/postgres/place.mjs';
import { runningServer } from '../../../scripts/postgres/processes.mjs';
import { startServer } from '../../../scripts/postgres/server.mjs';
import { takeBackup } from './base-backup.mjs';

/** A server that the test stops and starts as it likes: its data stay until the test says that it is done. */
const checkout = path.resolve(import.meta.dirname, '../../..');
const account = serverAccount();
const base = [os.tmpdir(), '/tmp', '/var/tmp'].find((folder) => canUse(account, folder));
// The name under which the next run clears away what this one leaves when it is killed.
const user = process.getuid?.() ?? 'user';
const place = mkdtempSync(path.join(base, `nestjs-cloacina-${user}-run-${process.pid}-`));
chmodSync(place, 0o755);
const password = randomBytes(12).toString('hex');
const binaries = embeddedBinaries(account, placeOf(checkout, account));

/** The one that clients are led to, and the one that follows it, if there is one. */
let primary = { directory: path.join(place, 'data'), log: path.join(place, 'server.log') };
let standby;
/** Copies of the primary that were made while it ran, by their labels; each is used once. */
const backups = new Map();
let backupsTaken = 0;
/** Set by the launcher that gives this process mounts of its own. */
const smallDisk = process.env.SMALL_DISK_MB;
ensureCluster({ binaries, account, directory: primary.directory, password, sync: false });
trustOwner(primary.directory);

async function run(server, settings = {}) {
  const { directory, log } = server;
  // Without fsync: what a killed server has written is the system's by then, which lives on.
  const all = {
    max_connections: process.env.MAX_CONNECTIONS ?? 100,
    fsync: 'off',
    jit: 'off',
    // So that tests see in pg_stat_activity which of the library's statements it runs.
    track_activity_query_size: 32_768,
    ...settings,
  };
  Object.assign(server, await startServer({ binaries, account, directory, settings: all, log }));
}

function urlOf({ port }) {
  return `postgres://postgres:${password}@127.0.0.1:${port}/postgres`;
}

function tell() {
  process.send({ kind: 'started', port: primary.port, password, smallDisk: mounted });
}

/** A file system of a few megabytes, for a tablespace. It is gone with this process' mounts. */
function mountSmallDisk() {
  const directory = path.join(place, 'small');
  mkdirSync(directory);
  const { uid, gid } = account;
  const owner = uid === undefined ? '' : `,uid=${uid},gid=${gid}`;
  const options = `size=${smallDisk}m,mode=0700${owner}`;
  const mount = spawnSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', directory]);
  if (mount.status !== 0) throw new Error(`No small disk: ${mount.stderr.toString()}`);
  return directory;
}
const mounted = smallDisk === undefined ? undefined : mountSmallDisk();

async function halt({ directory }, signal) {
  process.kill(runningServer(directory).pid, signal);
  // One that was told to stop while it recovers from a crash may never get there.
  const insist = Date.now() + 8_000;
  while (runningServer(directory) !== undefined) {
    const left = runningServer(directory);
    if (left !== undefined && Date.now() > insist) process.kill(left.pid, 'SIGQUIT');
    await sleep(10);
  }
}

const OBEY = {
  async close() {
    await primary.stop();
    await standby?.stop();
    rmSync(place, { recursive: true, force: true });
    process.disconnect();
  },
  async restart({ signal, downMs }) {
    await halt(primary, signal);
    await sleep(downMs);
    await run(primary);
    tell();
  },
  async stop({ signal }) {
    await halt(primary, signal);
    process.send({ kind: 'stopped' });
  },
  async start() {
    await run(primary);
    tell();
  },
  /** A copy of the files of a server that was stopped in good order, which follows it from there. */
  async addStandby() {
    standby = { directory: path.join(place, 'standby'), log: path.join(place, 'standby.log') };
    await halt(primary, 'SIGINT');
    const copy = spawnSync('cp', ['-a', primary.directory, standby.directory]);
    if (copy.status !== 0) throw new Error(`No copy of the server: ${copy.stderr.toString()}`);
    writeFileSync(path.join(standby.directory, 'standby.signal'), '');
    await run(primary);
    await run(standby, {
      primary_conninfo: `host=127.0.0.1 port=${primary.port} user=postgres password=${password}`,
    });
    tell();
  },
  async backup({ label }) {
    const directory = path.join(place, `backup-${++backupsTaken}`);
    await takeBackup({ url: urlOf(primary), from: primary.directory, to: directory, account });
    backups.set(label, directory);
    process.send({ kind: 'backedUp' });
  },
  /**
   * The server dies, and one on the files of a backup takes its place: as the same server, which recovers from what
   * it takes for a crash, or, with a new timeline, as a standby that a failover promotes.
   */
  async goBack({ label, newTimeline }) {
    const directory = backups.get(label);
    backups.delete(label);
    if (newTimeline) writeFileSync(path.join(directory, 'standby.signal'), '');
    const before = primary;
    await halt(before, 'SIGQUIT');
    primary = { directory, log: `${directory}.log` };
    await run(primary);
    rmSync(before.directory, { recursive: true, force: true });
    tell();
  },
  /** The server dies; its clients are led to the standby, which is one until it is promoted. */
  async failOver() {
    await halt(primary, 'SIGQUIT');
    [primary, standby] = [standby, undefined];
    tell();
  },
};

process.on('message', (message) => void OBEY[message.order](message));
await run(primary);
tell();
