import { CloacinaError } from './cloacina-error.js';
import { withoutSecrets } from './without-secrets.js';

/**
 * The application is put together wrongly: bad options, a workflow that cannot work, an injection that cannot be
 * resolved. Thrown at boot, once, with everything that is wrong, so that one look fixes it all.
 *
 * @example
 * ```ts
 * throw new ConfigurationError(['tenant "acme": poolSize must be a whole number of at least 3, not 0.']);
 * ```
 */
export class ConfigurationError extends CloacinaError {
  /** Every problem, one sentence each, in the order in which they were found. */
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
 * A schema name that the library refuses to use: names are quoted into SQL, so only 1 to 63 letters, digits and
 * underscores are taken, none that PostgreSQL keeps for itself.
 */
export class SchemaNameError extends CloacinaError {
  /** The name as it was given. */
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
 * A call was made with an argument that has no meaning, such as a negative delay, a limit over 500 or a cursor that
 * this library did not give out. Nothing was changed.
 */
export class InvalidArgumentError extends CloacinaError {
  /** The argument's or option's name, such as `limit`. */
  readonly argument: string;

  /** @param problem - a clause that follows the argument's name, such as `must be 1 to 500, not 0` */
  constructor(argument: string, problem: string, options?: ErrorOptions) {
    super('INVALID_ARGUMENT', withoutSecrets(`${argument} ${problem}.`), options);
    this.argument = argument;
  }
}

/**
 * A call that is refused because of where it is made: awaiting `execute` or `result()` in a task's handler, which
 * can wait for ever for the very slot that it occupies, or `execute` with a `manager`, which would wait for an
 * execution that its own transaction hides.
 */
export class NotAllowedError extends CloacinaError {
  /**
   * @param what - the refused call, as the start of a sentence: `execute() with a manager`
   * @param why - the reason, a clause: `the execution is invisible until the transaction commits`
   * @param instead - what to do, a sentence: `Use start() and wait after the commit.`
   */
  constructor(what: string, why: string, instead: string) {
    super('NOT_ALLOWED', `${what} is not allowed: ${why}. ${instead}`);
  }
}
