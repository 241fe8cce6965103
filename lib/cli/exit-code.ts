/** What the exit code of a command says. Documented in docs/cli.md. */
export const ExitCode = {
  /** The command succeeded, and found nothing wrong. */
  ok: 0,
  /** It failed, or it has found something: a pending migration, a fault. */
  failed: 1,
  /** It was called wrongly, and did nothing. */
  usage: 2,
  /** A server could not be reached: the result is that of the others. */
  incomplete: 3,
} as const;

export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];

/** The command was called wrongly. The message says how to call it. */
export class UsageError extends Error {}

/** The command can't decide without a server that could not be reached. The message names the server. */
export class IncompleteError extends Error {}

/** The command can't do its work. The message says why, and what to do. */
export class CommandFailure extends Error {}
