import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { checkout, runNode, runNpm } from './run.mjs';

const SOURCES = path.join(checkout, 'test/package/oldest-peers');

/**
 * Installs the packed package into a small application with the oldest of each peer and of the compiler, as they are named
 * in its package.json. Compiles and runs it. `applications.mjs` has those with the newest.
 */
export async function runOldestPeers(tarball, databaseUrl) {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'nestjs-cloacina-oldest-'));
  try {
    cpSync(SOURCES, folder, { recursive: true });
    const file = path.join(folder, 'package.json');
    const manifest = JSON.parse(readFileSync(file, 'utf8'));
    manifest.dependencies['nestjs-cloacina'] = `file:${tarball}`;
    writeFileSync(file, JSON.stringify(manifest, null, 2));

    const env = { ...process.env, DATABASE_URL: databaseUrl, SCHEMA: 'oldest_peers' };
    const options = { cwd: folder, env };
    // strict-peer-deps: the ranges that the package asks for must be such as can be had together.
    await runNpm(
      ['install', '--strict-peer-deps', '--no-audit', '--no-fund', '--loglevel=error'],
      options,
    );
    await runNode(['node_modules/typescript/bin/tsc'], options);
    await runNode(['dist/main.js'], options);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
