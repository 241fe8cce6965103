import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { run } from './run.mjs';

const installed = '/usr/lib/postgresql';

/** The folders of the programs of the PostgreSQL versions that Debian has installed, the oldest first. */
export async function systemPostgres() {
  if (versions().length === 0 && process.getuid?.() === 0 && existsSync('/usr/bin/apt-get'))
    await install();
  return versions().map((version) => ({ version, binaries: path.join(installed, version, 'bin') }));
}

function versions() {
  if (!existsSync(installed)) return [];
  return readdirSync(installed)
    .filter((version) => existsSync(path.join(installed, version, 'bin/initdb')))
    .sort((a, b) => Number(a) - Number(b));
}

/** The programs alone: no server that starts with the machine. */
async function install() {
  mkdirSync('/etc/postgresql-common/createcluster.d', { recursive: true });
  writeFileSync(
    '/etc/postgresql-common/createcluster.d/no-cluster.conf',
    'create_main_cluster = false\n',
  );
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  await run('apt-get', ['update', '-qq'], { env });
  await run('apt-get', ['install', '-qq', '-y', '--no-install-recommends', 'postgresql'], { env });
}
