import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { findChromium, MISSING_CHROMIUM } from '../../scripts/chromium.mjs';
import { bundlePage } from '../../scripts/page.mjs';
import setUp from '../support/global-setup.mjs';

/** Finds the browser, and builds the page once for all files. Without a browser the run fails: it tests nothing else. */
export default async function setUpBrowser(options) {
  const chromium = findChromium();
  if (chromium === undefined) throw new Error(MISSING_CHROMIUM);
  const page = mkdtempSync(path.join(tmpdir(), 'cloacina-built-page-'));
  await bundlePage(page);
  process.env.CLOACINA_TEST_CHROMIUM = chromium;
  process.env.CLOACINA_TEST_PAGE = page;
  await setUp(options);
}
