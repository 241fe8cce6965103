import type { Command } from 'commander';
import type { ServerState } from '../../index.js';
import type { CommandContext } from '../command-context.js';
import { ExitCode } from '../exit-code.js';
import { status } from '../output/status.js';
import { table } from '../output/table.js';
import type { RunCommand } from '../run-command.js';

export function addServers(program: Command, run: RunCommand): void {
  program
    .command('servers')
    .description('See the database servers.')
    .command('list')
    .description(
      'List the servers of CLOACINA_SERVERS with their tenants, sizes and connections; exit code 1 if one is away.',
    )
    .action(run(list));
}

async function list(context: CommandContext): Promise<ExitCode> {
  const servers = await (await context.admin()).listServers();
  return context.answer(
    { servers },
    () => print(context, servers),
    servers.every(({ isUp }) => isUp) ? ExitCode.ok : ExitCode.failed,
  );
}

function print(context: CommandContext, servers: readonly ServerState[]): string {
  const rows = servers.map((one) => [
    one.server ?? '',
    one.database,
    status(context, one.isUp ? 'up' : 'away'),
    one.version ?? '',
    one.tenants === undefined ? '' : String(one.tenants),
    one.bytes === undefined ? '' : `${(one.bytes / 2 ** 20).toFixed(1)} MiB`,
    one.connections === undefined ? '' : `${one.connections} of ${one.maxConnections}`,
  ]);
  const head = ['server', 'database', 'state', 'version', 'tenants', 'size', 'connections'];
  const errors = servers.flatMap(({ server, database, error }) =>
    error === undefined ? [] : [`${server ?? database}: ${error}`],
  );
  return [table(context, head, rows), ...errors].join('\n\n');
}
