import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { buildLibrary } from './build.mjs';
import { isMain, runNode, runNpm } from './run.mjs';

/** Everything that can be known without running the library. All steps run; then it fails if one did. */
const steps = {
  format: () =>
    runNode(['node_modules/prettier/bin/prettier.cjs', '--check', '--log-level=warn', '.']),
  // Packages bring linter configurations of their own, which are none of ours.
  lint: () =>
    runNode(['node_modules/oxlint/bin/oxlint', '--disable-nested-config', '--deny-warnings']),
  types: () => runNode(['node_modules/typescript/bin/tsc', '--noEmit']),
  package: checkPackage,
};

/** The package as it would be published: what npm packs, read as Node and TypeScript read it. */
async function checkPackage() {
  await buildLibrary();
  await withPackedPackage(async (tarball) => {
    await runNode(['node_modules/publint/src/cli.js', 'run', tarball, '--strict']);
    // ESM only, on purpose: CommonJS reaches it by require() of an ES module.
    await runNode([
      'node_modules/@arethetypeswrong/cli/dist/index.js',
      tarball,
      '--profile',
      'esm-only',
    ]);
  });
}

/** Packs what has been built into a folder that is gone afterwards. */
export async function withPackedPackage(use) {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'nestjs-cloacina-pack-'));
  try {
    await runNpm(['pack', '--silent', '--ignore-scripts', '--pack-destination', folder], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    const tarball = readdirSync(folder).find((name) => name.endsWith('.tgz'));
    return await use(path.join(folder, tarball));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

if (isMain(import.meta)) {
  const failed = [];
  for (const [name, step] of Object.entries(steps)) {
    const start = performance.now();
    const error = await step().catch((reason) => reason);
    const seconds = ((performance.now() - start) / 1000).toFixed(1);
    console.log(`${error ? '✗' : '✓'} ${name} (${seconds} s)`);
    if (error) failed.push(`${name}: ${error.message}`);
  }
  for (const message of failed) console.error(message);
  if (failed.length > 0) process.exitCode = 1;
}
