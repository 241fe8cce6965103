import { readFileSync } from 'node:fs';
import { CommandRunner } from './run-command.js';
import type { ExitCode } from './exit-code.js';
import { reportFailure } from './failure.js';
import { createProgram } from './program.js';
import type { Terminal } from './terminal.js';

/** It is one folder above `dist`, and two above the source. */
const MAX_DEPTH = 5;

interface Manifest {
  readonly name?: string;
  readonly version?: string;
}

/**
 * Runs one command.
 *
 * @param args - without the name of the program
 * @returns the exit code; it never throws
 */
export async function main(args: readonly string[], terminal: Terminal): Promise<ExitCode> {
  const runner = new CommandRunner(terminal);
  try {
    await createProgram(terminal, runner.run, packageVersion()).parseAsync(args, { from: 'user' });
    return runner.exitCode;
  } catch (error) {
    return reportFailure(terminal, error, {
      // A command that did not begin has no options yet.
      isJson: runner.options.json ?? args.includes('--json'),
      isDebugging: runner.options.debug ?? args.includes('--debug'),
    });
  }
}

/** Of the nearest file of the package above this module. */
function packageVersion(): string {
  for (let depth = 1; depth <= MAX_DEPTH; depth++) {
    try {
      const file = new URL(`${'../'.repeat(depth)}package.json`, import.meta.url);
      const { name, version } = JSON.parse(readFileSync(file, 'utf8')) as Manifest;
      if (name === 'nestjs-cloacina' && version !== undefined) return version;
    } catch {
      // Not there: the next one.
    }
  }
  return 'unknown';
}
