import { readFileSync } from 'node:fs';
import path from 'node:path';
import { checkout, runNpm } from './run.mjs';

/** Installs what the lock file says, unless exactly that is installed. */
export async function ensureDependencies() {
  if (areInstalled()) return;
  console.log('Installing the dependencies…');
  // Whatever NODE_ENV says: building and the database need the development dependencies.
  await runNpm(['ci', '--include=dev', '--no-audit', '--no-fund', '--loglevel=error']);
}

/** npm writes down what it installed, as its last act. */
function areInstalled() {
  const wanted = packagesOf('package-lock.json');
  const found = packagesOf('node_modules/.package-lock.json');
  if (found === undefined) return false;
  const missing = Object.keys(wanted).some((name) => {
    if (name === '') return false;
    if (found[name] === undefined) return !wanted[name].optional; // of another platform
    return (
      found[name].version !== wanted[name].version ||
      found[name].integrity !== wanted[name].integrity
    );
  });
  return !missing && Object.keys(found).every((name) => wanted[name] !== undefined);
}

function packagesOf(file) {
  try {
    return JSON.parse(readFileSync(path.join(checkout, file), 'utf8')).packages;
  } catch (error) {
    if (error.code === 'ENOENT' || error instanceof SyntaxError) return undefined;
    throw error;
  }
}
