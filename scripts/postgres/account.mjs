import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/**
 * The account of the server, as options for `spawn`. PostgreSQL refuses to run as root, and needs an account that has a
 * name: `nobody` is on every system, so that none has to be made.
 */
export function serverAccount() {
  if (process.getuid?.() !== 0) return {};
  const entry = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find((line) => line.startsWith('nobody:'));
  if (entry === undefined) throw new Error('There is no account "nobody" to run PostgreSQL as.');
  const [, , uid, gid] = entry.split(':').map(Number);
  return { uid: uid >>> 0, gid: gid >>> 0 };
}

/** Whether that account gets at a path: a folder above it may be closed to it (`/root` is). */
export function canUse(account, path, permission = '-x') {
  return spawnSync('test', [permission, path], { ...account, cwd: '/' }).status === 0;
}
