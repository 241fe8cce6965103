import path from 'node:path';
import { startTestServer } from '../../scripts/test-server.mjs';
import { compileForChildren } from './compile-for-children.mjs';
import { offerSecondServer } from './offer-second-server.mjs';
import { makeTemplate } from './template.mjs';

/**
 * Runs once, before the first test file that needs a database, and not at all where none was chosen: the unit tests
 * are a project of their own. The workers that jest starts afterwards inherit the environment.
 */
export default async function setUp({ watch, watchAll, collectCoverage, testPathPatterns }) {
  const compiled = compileForChildren();
  if (!process.env.DATABASE_URL) {
    const server = await startTestServer();
    process.env.DATABASE_URL = server.url;
    globalThis[Symbol.for('cloacina.test.server')] = server;
  }
  const second = await offerSecondServer();
  process.env.CLOACINA_TEST_SECOND_SERVER = String(second.port);
  globalThis[Symbol.for('cloacina.test.secondServer')] = second;
  const folders = await compiled;
  if (folders === undefined) return;
  process.env.CLOACINA_TEST_COMPILED = folders.folder;
  process.env.CLOACINA_TEST_BUNDLED = folders.bundled;
  // What `bundle-resolver.cjs` gives the test files of a whole run. Coverage is of the sources, jest watches those, and who
  // runs some files has sources in stack traces.
  const isPart = testPathPatterns.patterns.length > 0;
  const bySource = isPart || watch || watchAll || collectCoverage;
  if (!bySource) process.env.CLOACINA_TEST_LIBRARY = path.join(folders.bundled, 'lib');
  // Of a few files, it would take longer than it spares.
  if (!isPart) await makeTemplate(process.env.CLOACINA_TEST_BUNDLED);
}
