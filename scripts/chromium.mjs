import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { isMain, main } from './run.mjs';

const PLACES = [
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
];

/** What a machine without a browser lacks. */
export const MISSING_CHROMIUM =
  'Chromium is missing: install it (Debian: apt-get install chromium), or name its file in CHROMIUM.';

/** The browser that tests of the page use, by the variable CHROMIUM or where distributions install it. */
export function findChromium() {
  const named = process.env['CHROMIUM'];
  return (named ? [named] : PLACES).find((place) => existsSync(place));
}

/** `node scripts/chromium.mjs`: installs Chromium from the packages of Debian or Ubuntu if it is missing. It fails if it can't. */
function ensureChromium() {
  const found = findChromium();
  if (found !== undefined) return found;
  const sudo = process.getuid?.() === 0 ? [] : ['sudo', '--non-interactive'];
  const apt = (...args) => {
    const [command, ...rest] = [...sudo, 'apt-get', ...args];
    execFileSync(command, rest, {
      stdio: ['ignore', 'ignore', 'inherit'],
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    });
  };
  try {
    apt('update', '--quiet');
    apt('install', '--yes', '--quiet', '--no-install-recommends', 'chromium', 'fonts-liberation');
  } catch (cause) {
    throw new Error(MISSING_CHROMIUM, { cause });
  }
  const installed = findChromium();
  if (installed === undefined) throw new Error(MISSING_CHROMIUM);
  return installed;
}

if (isMain(import.meta)) await main(async () => console.log(`Chromium: ${ensureChromium()}`));
