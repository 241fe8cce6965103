import { spawnSync } from 'node:child_process';
import { chownSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import pg from 'pg';

/**
 * A base backup of a running server, by the low-level API: the embedded PostgreSQL comes without pg_basebackup. What
 * is committed when this is called is in it.
 */
export async function takeBackup({ url, from, to, account }) {
  const client = new pg.Client({ connectionString: url, application_name: 'base backup' });
  await client.connect();
  try {
    await client.query(`SELECT pg_backup_start('fault test', true)`);
    copy(from, to);
    const { rows } = await client.query('SELECT labelfile FROM pg_backup_stop(false)');
    const label = path.join(to, 'backup_label');
    writeFileSync(label, rows[0].labelfile, { mode: 0o600 });
    if (account.uid !== undefined) chownSync(label, account.uid, account.gid);
    // The log up to the backup's end, without which its files don't agree with each other.
    rmSync(path.join(to, 'pg_wal'), { recursive: true });
    copy(path.join(from, 'pg_wal'), path.join(to, 'pg_wal'));
    for (const name of ['postmaster.pid', 'postmaster.opts']) rmSync(path.join(to, name));
  } finally {
    await client.end();
  }
}

/** Files come and go meanwhile, which the log makes up for. */
function copy(from, to) {
  const run = spawnSync('cp', ['-a', from, to], { encoding: 'utf8' });
  const failures = (run.stderr ?? '').split('\n').filter((line) => line !== '');
  if (run.error !== undefined || failures.some((line) => !line.includes('No such file'))) {
    throw new Error(`No copy of the server: ${run.error?.message ?? run.stderr}`);
  }
}
