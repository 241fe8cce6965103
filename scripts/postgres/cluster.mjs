import { spawnSync } from 'node:child_process';
import {
  chownSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { isAlive } from './processes.mjs';

/**
 * Makes a data folder, unless it is there. It gets its name only when it is complete, so one that exists was not
 * left half-made by a run that was killed.
 */
export function ensureCluster({ binaries, account, directory, password, sync }) {
  if (existsSync(directory)) return;
  removeUnfinished(directory);
  const unfinished = `${directory}.new-${process.pid}`;
  const passwordFile = `${unfinished}.password`;
  try {
    mkdirSync(unfinished, { mode: 0o700 });
    writeFileSync(passwordFile, `${password}\n`, { mode: 0o600 });
    for (const own of account.uid === undefined ? [] : [unfinished, passwordFile]) {
      chownSync(own, account.uid, account.gid);
    }
    initdb({ binaries, account, directory: unfinished, passwordFile, sync });
    renameSync(unfinished, directory);
  } catch (error) {
    // ENOTEMPTY: another run has made it in between.
    if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error;
  } finally {
    rmSync(unfinished, { recursive: true, force: true });
    rmSync(passwordFile, { force: true });
  }
}

/** The owner's password is not asked for: the first line that fits a connection counts. */
export function trustOwner(directory) {
  const file = path.join(directory, 'pg_hba.conf');
  const asked = readFileSync(file, 'utf8');
  writeFileSync(file, `host all postgres 127.0.0.1/32 trust\n${asked}`);
}

function initdb({ binaries, account, directory, passwordFile, sync }) {
  const run = spawnSync(
    path.join(binaries, 'initdb'),
    [
      `--pgdata=${directory}`,
      '--username=postgres',
      `--pwfile=${passwordFile}`,
      '--auth=scram-sha-256',
      '--encoding=UTF8',
      '--locale=C',
      ...(sync ? [] : ['--no-sync']),
    ],
    { ...account, cwd: '/', encoding: 'utf8' },
  );
  if (run.status !== 0) {
    throw new Error(`initdb failed: ${run.error?.message ?? run.stderr}`, { cause: run.error });
  }
}

function removeUnfinished(directory) {
  const prefix = `${path.basename(directory)}.new-`;
  for (const name of readdirSync(path.dirname(directory))) {
    if (!name.startsWith(prefix) || isAlive(parseInt(name.slice(prefix.length), 10))) continue;
    rmSync(path.join(path.dirname(directory), name), { recursive: true, force: true });
  }
}
