import { CloacinaError } from './cloacina-error.js';
import { withoutSecrets } from './without-secrets.js';

/**
 * The configuration of the application is wrong: an invalid option, an invalid workflow, or an injection that cannot be
 * resolved. The boot throws one such error, which lists all problems.
 *
 * @example
 * ```ts
 * throw new ConfigurationError(['tenant "acme": poolSize must be a whole number of at least 3, not 0.']);
 * ```
 */
export class ConfigurationError extends CloacinaError {
  /** The problems, each one or two sentences, in the order in which they were found. */
  readonly problems: readonly string[];

  constructor(problems: readonly string[], options?: ErrorOptions) {
    const shown = problems.map(withoutSecrets);
    const heading =
      shown.length === 1 ? 'There is 1 problem' : `There are ${shown.length} problems`;
    const list = shown.map((problem, index) => `  ${index + 1}. ${problem}`).join('\n');
    super(
      'CONFIGURATION',
      `${heading} with the configuration of nestjs-cloacina:\n${list}`,
      options,
    );
    this.problems = Object.freeze(shown);
  }
}

/**
 * The name of a schema is not allowed. A name has 1 to 63 letters, digits and underscores, because it becomes part of
 * SQL texts. Names that PostgreSQL reserves are refused.
 */
export class SchemaNameError extends CloacinaError {
  /** The refused name. */
  readonly schemaName: string;

  /** @param problem - a clause that follows the name, such as `starts with a digit` */
  constructor(schemaName: string, problem: string) {
    super(
      'SCHEMA_NAME',
      `The schema name ${JSON.stringify(schemaName)} ${problem}. Use 1 to 63 letters, digits and underscores, ` +
        'with a letter or underscore first.',
    );
    this.schemaName = schemaName;
  }
}

/**
 * An argument or option of a call is not valid, such as a negative delay, a limit over 500, or a cursor that `list` did
 * not return. Nothing was changed.
 */
export class InvalidArgumentError extends CloacinaError {
  /** The name of the argument or option, such as `limit`. */
  readonly argument: string;

  /** @param problem - a clause that follows the argument's name, such as `must be 1 to 500, not 0` */
  constructor(argument: string, problem: string, options?: ErrorOptions) {
    super('INVALID_ARGUMENT', withoutSecrets(`${argument} ${problem}.`), options);
    this.argument = argument;
  }
}

/**
 * The call is not allowed here or now. For example, `execute()` and `result()` are refused inside a task, because the
 * waiting task may occupy the slot that the other execution needs. `execute()` with a `manager` is refused, because the
 * execution cannot run before the caller's transaction commits.
 */
export class NotAllowedError extends CloacinaError {
  /**
   * @param what - the refused call, as the start of a sentence: `execute() with a manager`
   * @param why - the reason, as a clause: `the execution is invisible until the transaction commits`
   * @param instead - what to do, as a sentence: `Use start() and wait after the commit.`
   */
  constructor(what: string, why: string, instead: string) {
    super('NOT_ALLOWED', `${what} is not allowed: ${why}. ${instead}`);
  }
}
