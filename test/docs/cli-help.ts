import { PassThrough } from 'node:stream';
import type { Command } from 'commander';
import { createProgram } from '../../lib/cli/program.js';

/** A program whose commands only say that they were called. */
export function programOf(called: (command: string) => void = () => undefined): Command {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  const run =
    () =>
    async (...given: unknown[]): Promise<void> =>
      called(pathOf(given.at(-1) as Command));
  return createProgram({ stdout, stderr }, run, '0.0.0');
}

/** `executions list` of that command. Empty for the program. */
export function pathOf(command: Command): string {
  return command.parent === null ? '' : `${pathOf(command.parent)} ${command.name()}`.trim();
}

/** All commands that do something, with the program itself. */
export function commandsOf(program: Command): Command[] {
  const leaves = (command: Command): Command[] =>
    command.commands.length === 0 ? [command] : command.commands.flatMap(leaves);
  return [program, ...leaves(program)];
}

/** The help of a command without the options of every command, which have a place of their own. */
export function ownHelp(command: Command): string {
  const [own = ''] = command.helpInformation().split('\nGlobal Options:');
  return own.trimEnd();
}
