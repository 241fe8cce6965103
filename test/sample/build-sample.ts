import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { connectAdmin } from '../support/postgres.js';

const checkout = fileURLToPath(new URL('../../', import.meta.url));
/** Any number that nothing else locks. */
const LOCK = 7_184;

/**
 * Test files run side by side, and a build replaces what another one's sample is just loading: so one at a time. Without
 * types, unless a whole build of the same sources is there, as after `npm run check`: see `scripts/build.mjs`.
 */
export async function buildSample(): Promise<void> {
  const admin = await connectAdmin();
  try {
    await admin.query('SELECT pg_advisory_lock($1)', [LOCK]);
    await run(
      `import { buildLibrary, buildSample } from './scripts/build.mjs';
       await buildLibrary({ transpiled: 'make' });
       await buildSample({ transpiled: 'make' });`,
    );
  } finally {
    await admin.end();
  }
}

function run(module: string): Promise<void> {
  const child = spawn(process.execPath, ['--input-type=module', '--eval', module], {
    cwd: checkout,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) =>
      code === 0 ? resolve() : reject(new Error(`The build ended with code ${code}.`)),
    );
  });
}
