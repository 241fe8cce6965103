import { expect, it } from '@jest/globals';
import { PassThrough } from 'node:stream';
import { terminalOf } from '../../../lib/cli/terminal.js';

function processWith(isTTY: true | undefined, env: Record<string, string> = {}): NodeJS.Process {
  const stream = Object.assign(new PassThrough(), { isTTY });
  return { stdin: stream, stdout: stream, stderr: stream, env } as unknown as NodeJS.Process;
}

it('has colors and questions in a terminal only', () => {
  expect(terminalOf(processWith(true))).toMatchObject({ isColored: true, isInteractive: true });
  // Of a pipe it is undefined, which must not leave the choice to others.
  expect(terminalOf(processWith(undefined, { CI: 'true', FORCE_COLOR: '1' }))).toMatchObject({
    isColored: false,
    isInteractive: false,
  });
});

it('has no colors where they are not wanted', () => {
  expect(terminalOf(processWith(true, { NO_COLOR: '1' })).isColored).toBe(false);
  expect(terminalOf(processWith(true, { TERM: 'dumb' })).isColored).toBe(false);
});
