import { Command, Option } from 'commander';
import { withoutSecrets } from '../errors/without-secrets.js';
import { addDoctor } from './commands/doctor.js';
import { addExecutions } from './commands/executions/index.js';
import { addMigrate } from './commands/migrate.js';
import { addRecovery } from './commands/recovery.js';
import { addSchedules } from './commands/schedules.js';
import { addServers } from './commands/servers.js';
import { addTenants } from './commands/tenants.js';
import type { RunCommand } from './run-command.js';
import type { Terminal } from './terminal.js';

/** The width of help, so that it is the same everywhere, also in docs/cli.md. */
const HELP_WIDTH = 100;

/** The commands with their options and help. Each action is made by `run`. */
export function createProgram(
  { stdout, stderr }: Pick<Terminal, 'stdout' | 'stderr'>,
  run: RunCommand,
  version: string,
): Command {
  const program = new Command('nestjs-cloacina');
  program
    .description(
      'See and control durable workflows on PostgreSQL. Works beside running applications, and runs no task.',
    )
    .version(version, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print help')
    .helpCommand(false)
    .addOption(
      new Option(
        '--database-url <url>',
        'the database; better set DATABASE_URL, which others do not see',
      ),
    )
    .option('--server <name>', 'the server, by its name in CLOACINA_SERVERS; default: all of them')
    .option('--tenant <name>', 'the tenant, by its name; default: the only one of the database')
    .option('--schema <schema>', 'the tenant, by its schema')
    .option('--json', 'print one JSON document, for scripts')
    .option('--yes', 'answer questions with yes')
    .option('--no-color', 'print without colors')
    .option('--debug', 'print the log of the library, and stack traces of failures')
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({
      writeOut: (text) => void stdout.write(text),
      writeErr: (text) => void stderr.write(withoutSecrets(text)),
      getOutHelpWidth: () => HELP_WIDTH,
      getErrHelpWidth: () => HELP_WIDTH,
    })
    .addHelpText(
      'after',
      '\nExit codes: 0 done, 1 failed or something was found, 2 called wrongly, 3 a server could not be reached.',
    )
    .exitOverride();
  addMigrate(program, run);
  addTenants(program, run);
  addExecutions(program, run);
  addSchedules(program, run);
  addRecovery(program, run);
  addDoctor(program, run);
  addServers(program, run);
  return program;
}
