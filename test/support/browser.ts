import { existsSync } from 'node:fs';
import { chromium, type Browser } from 'playwright-core';

const CHROMIUM = [
  process.env['CHROMIUM'],
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
].find((path) => path !== undefined && existsSync(path));

/** What a machine without a browser lacks. */
export const MISSING_BROWSER =
  'Chromium is missing: install it (Debian: apt-get install chromium), or name its file in CHROMIUM.';

/** Whether tests in a browser run. In CI they do, so that a missing browser fails them. */
export const hasBrowser = CHROMIUM !== undefined || process.env['CI'] === 'true';

export async function openBrowser(): Promise<Browser> {
  if (CHROMIUM === undefined) throw new Error(MISSING_BROWSER);
  // In containers the tests run as root, for which Chromium has no sandbox.
  return chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox', '--disable-gpu'] });
}
