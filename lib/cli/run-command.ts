import type { Command } from 'commander';
import { CommandContext, type GlobalOptions } from './command-context.js';
import { ExitCode } from './exit-code.js';
import type { Terminal } from './terminal.js';

/** What a command does. Commander has checked the arguments, so the types are those that the command declares. */
export type Handler<O extends object, A extends unknown[]> = (
  context: CommandContext,
  options: O,
  ...args: A
) => Promise<ExitCode>;

/** Makes Commander's action of a handler, and keeps the exit code. */
export type RunCommand = <O extends object, A extends unknown[]>(
  handler: Handler<O, A>,
) => (...given: unknown[]) => Promise<void>;

export class CommandRunner {
  exitCode: ExitCode = ExitCode.ok;
  /** The options of the command that runs, for the report of its failure. */
  options: GlobalOptions = {};

  constructor(private readonly terminal: Terminal) {}

  readonly run: RunCommand =
    <O extends object, A extends unknown[]>(handler: Handler<O, A>) =>
    async (...given) => {
      // Commander passes the arguments, then the options, then the command.
      const command = given.at(-1) as Command;
      const args = given.slice(0, -2) as A;
      this.options = command.optsWithGlobals<GlobalOptions>();
      const { Logger } = await import('@nestjs/common');
      const context = new CommandContext(this.terminal, this.options);
      // Nest's own log goes to standard output, which belongs to the result.
      Logger.overrideLogger(context.logger);
      this.exitCode = await handler(context, command.opts<O>(), ...args);
    };
}
