import { chromium, type Browser } from 'playwright-core';

/** The browser that global-setup.mjs found. */
export function openBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath: process.env['CLOACINA_TEST_CHROMIUM']!,
    // In containers the tests run as root, for which Chromium has no sandbox, and with little shared memory.
    args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'],
  });
}
