import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, expect, it } from '@jest/globals';
import { buildSample } from './build-sample.js';

const run = promisify(execFile);
const dist = path.resolve(import.meta.dirname, '../../dist');

beforeAll(() => buildSample());

/** What a process prints that cannot find OpenTelemetry. */
async function evaluate(code: string): Promise<string> {
  const without = `const Module = require('node:module');
    const resolve = Module._resolveFilename;
    Module._resolveFilename = (name, ...rest) => {
      if (name.startsWith('@opentelemetry/')) throw new Error('There is no ' + name);
      return resolve(name, ...rest);
    };`;
  const { stdout } = await run(process.execPath, ['--eval', `${without}${code}`], { cwd: dist });
  return stdout.trim();
}

it('The main entry does without OpenTelemetry, and only its own entry needs it', async () => {
  const code = `
    const { CloacinaModule } = require('./index.js');
    console.log(typeof CloacinaModule.forRoot);
    try { require('./otel.js'); } catch ({ message }) { console.log(message); }`;
  expect(await evaluate(code)).toBe('function\nThere is no @opentelemetry/api');
});

it('No file that the main entry loads names OpenTelemetry', () => {
  for (const file of ['index.js', 'index.mjs', 'index.load.js', 'library.js', 'peers.js']) {
    expect(readFileSync(path.join(dist, file), 'utf8')).not.toContain('@opentelemetry/');
  }
  expect(readFileSync(path.join(dist, 'otel.entry.js'), 'utf8')).toContain('@opentelemetry/api');
});

it('Both ways to load the entry share the errors of the library', async () => {
  const code = `
    import { createRequire } from 'node:module';
    import { InvalidArgumentError } from './index.mjs';
    import { openTelemetry } from './otel.mjs';
    const required = createRequire(import.meta.url)('./otel.js');
    for (const open of [openTelemetry, required.openTelemetry]) {
      try { open({ maxTenants: -1 }); } catch (error) { console.log(error instanceof InvalidArgumentError); }
    }`;
  const options = ['--input-type=module', '--eval', code];
  const { stdout } = await run(process.execPath, options, { cwd: dist });
  expect(stdout.trim()).toBe('true\ntrue');
});
