import { CommanderError } from 'commander';
import { CloacinaError } from '../errors/cloacina-error.js';
import { messageWithoutSecrets, withoutSecrets } from '../errors/without-secrets.js';
import { CommandFailure, ExitCode, IncompleteError, UsageError } from './exit-code.js';
import { printJson } from './output/print-json.js';
import { printable } from './output/text.js';
import type { Terminal } from './terminal.js';

/** Codes of the library that say that the call was wrong. */
const USAGE_CODES = new Set<string>(['INVALID_ARGUMENT', 'SCHEMA_NAME', 'CONFIGURATION']);

/** An error in the documents of --json. */
export interface ErrorDocument {
  readonly code: string;
  readonly message: string;
}

/** The code and the message of any error, without secrets. */
export function errorDocument(error: unknown): ErrorDocument {
  const message = messageWithoutSecrets(error);
  if (error instanceof UsageError) return { code: 'USAGE', message };
  if (error instanceof IncompleteError) return { code: 'INCOMPLETE', message };
  if (error instanceof CloacinaError) return { code: error.code, message };
  return { code: error instanceof CommandFailure ? 'FAILED' : 'UNEXPECTED', message };
}

/**
 * Tells why a command failed: a sentence on standard error, with --json also a document `{ "error": … }` on standard output.
 *
 * @param how.isDebugging - whether to print the stack too
 */
export function reportFailure(
  { stdout, stderr }: Terminal,
  error: unknown,
  how: { readonly isJson: boolean; readonly isDebugging: boolean },
): ExitCode {
  // Commander has written its message already, and help is no failure.
  if (error instanceof CommanderError)
    return error.exitCode === 0 ? ExitCode.ok : usage(stdout, error, how.isJson);
  const document = errorDocument(error);
  stderr.write(`${printable(document.message)}\n`);
  const stack: unknown = error instanceof Error ? error.stack : undefined;
  if (how.isDebugging && typeof stack === 'string')
    stderr.write(`${printable(withoutSecrets(stack))}\n`);
  if (document.code === 'UNEXPECTED' && !how.isDebugging)
    stderr.write('Repeat the command with --debug to see where it failed.\n');
  if (how.isJson) printJson(stdout, { error: document });
  if (error instanceof IncompleteError) return ExitCode.incomplete;
  return error instanceof UsageError || USAGE_CODES.has(document.code)
    ? ExitCode.usage
    : ExitCode.failed;
}

function usage(stdout: Terminal['stdout'], error: CommanderError, isJson: boolean): ExitCode {
  if (isJson) {
    // Without a command, Commander has printed the help, and its message is no sentence.
    const message =
      error.code === 'commander.help'
        ? 'Name a command: see --help.'
        : withoutSecrets(error.message.replace(/^error: /, ''));
    printJson(stdout, { error: { code: 'USAGE', message } });
  }
  return ExitCode.usage;
}
