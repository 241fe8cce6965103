import { readFileSync } from 'node:fs';
import { CommandRunner } from './run-command.js';
import type { ExitCode } from './exit-code.js';
import { reportFailure } from './failure.js';
import { createProgram } from './program.js';
import type { Terminal } from './terminal.js';

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

/** The package's file is one folder above `dist`, and two above the source of this module. */
function packageVersion(): string {
  for (const path of ['../package.json', '../../package.json']) {
    try {
      const text = readFileSync(new URL(path, import.meta.url), 'utf8');
      const { name, version } = JSON.parse(text) as { name?: string; version?: string };
      if (name === 'nestjs-cloacina' && version !== undefined) return version;
    } catch {
      // Not there: the next one.
    }
  }
  return 'unknown';
}
