import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { checkout, runNode, runNpm } from './run.mjs';

const sources = path.join(checkout, 'test/package');
export const consumers = ['esm', 'commonjs', 'oldest-peers'];

/** Installs the packed package into a small application, as a user would, compiles and runs it. */
export async function runConsumer(name, tarball, databaseUrl) {
  const folder = mkdtempSync(path.join(os.tmpdir(), `nestjs-cloacina-${name}-`));
  try {
    for (const file of ['main.ts', 'tsconfig.json']) {
      copyFileSync(path.join(sources, file), path.join(folder, file));
    }
    const manifest = JSON.parse(readFileSync(path.join(sources, name, 'package.json'), 'utf8'));
    manifest.dependencies['nestjs-cloacina'] = `file:${tarball}`;
    writeFileSync(path.join(folder, 'package.json'), JSON.stringify(manifest, null, 2));

    const options = {
      cwd: folder,
      env: {
        ...process.env,
        DATABASE_URL: databaseUrl,
        SCHEMA: `consumer_${name.replace('-', '_')}`,
      },
    };
    // strict-peer-deps: the ranges that the package asks for must be such as can be had together.
    await runNpm(
      ['install', '--strict-peer-deps', '--no-audit', '--no-fund', '--loglevel=error'],
      options,
    );
    await runNode(['node_modules/typescript/bin/tsc'], options);
    await runNode(['--disable-warning=ExperimentalWarning', 'dist/main.js'], options);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
