import { PassThrough } from 'node:stream';
import { expect, it } from '@jest/globals';
import { UsageError } from '../../../lib/cli/exit-code.js';
import { reportFailure } from '../../../lib/cli/failure.js';
import { printJson } from '../../../lib/cli/output/print-json.js';
import { StderrLogger } from '../../../lib/cli/stderr-logger.js';

/** A name as another program may have stored it: it sets a title, colors, and hides what follows. */
const HOSTILE = 'acme\u001b]0;title\u0007\u001b[31m\u009b8m\u202e';
// oxlint-disable-next-line no-control-regex -- it is about control characters
const OBEYED = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/;

it('an error on standard error has lines, and no control characters', () => {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  const error = new UsageError(`The database has no tenant "x".\nIts tenants are ${HOSTILE}.`);
  reportFailure(
    { stdout, stderr, stdin: new PassThrough(), env: {}, isInteractive: false, isColored: false },
    error,
    { isJson: false, isDebugging: true },
  );
  const text = String(stderr.read());
  expect(text).not.toMatch(OBEYED);
  expect(text).toContain('no tenant "x".\nIts tenants are acme');
});

it('a line of the log has none', () => {
  const stderr = new PassThrough();
  new StderrLogger(stderr, false).warn(`Tenant "${HOSTILE}": slow`, 'Cloacina');
  const text = String(stderr.read());
  expect(text).not.toMatch(OBEYED);
  expect(text).toMatch(/^\[Cloacina\] Tenant "acme.*": slow\n$/);
});

it('a document of --json has them as escapes of JSON, so a program reads the same text', () => {
  const stdout = new PassThrough();
  printJson(stdout, { name: HOSTILE });
  const text = String(stdout.read());
  expect(text).not.toMatch(OBEYED);
  expect(JSON.parse(text)).toEqual({ name: HOSTILE });
});
