import type { Command } from 'commander';
import type {
  DoctorFinding,
  DoctorOptions,
  DoctorReport,
  ServersDoctorOptions,
} from '../../index.js';
import { adminOptionsOf, type CommandContext } from '../command-context.js';
import type { NamedDatabase } from '../databases.js';
import { ExitCode } from '../exit-code.js';
import { loadLibrary } from '../library.js';
import { progressBar } from '../output/progress.js';
import { status } from '../output/status.js';
import { counted, oneLine } from '../output/text.js';
import type { RunCommand } from '../run-command.js';

interface DoctorCommandOptions {
  readonly check?: string[];
  readonly ignore?: string[];
  readonly role?: string;
}

export function addDoctor(program: Command, run: RunCommand): void {
  program
    .command('doctor')
    .description(
      'Examine the database and its tenants for faults, and say what to do; exit code 1 if there are findings.',
    )
    .option('--check <ids...>', 'make only these checks')
    .option('--ignore <ids...>', 'leave out these checks')
    .option(
      '--role <role>',
      'the role of the application, whose rights are checked; default: this login',
    )
    .action(run(doctor));
}

async function doctor(
  context: CommandContext,
  { check, ignore, role }: DoctorCommandOptions,
): Promise<ExitCode> {
  const { options } = context;
  const isOne = options.tenant !== undefined || options.schema !== undefined;
  const target = isOne ? await context.target() : undefined;
  const databases = target === undefined ? context.databases : [target];
  const chosen = {
    ...(check === undefined ? {} : { checks: check }),
    ...(ignore === undefined ? {} : { ignore }),
    ...(role === undefined ? {} : { role }),
  };
  const [only] = databases;
  if (databases.length === 1 && only !== undefined) {
    const schemas = target === undefined ? {} : { schemas: [target.schema] };
    const report = await examine(context, only, { ...chosen, ...schemas }, isOne);
    return context.answer(
      only.server === undefined ? report : { server: only.server, ...report },
      () => print(context, report, only.server),
      report.findings.length === 0 ? ExitCode.ok : ExitCode.failed,
    );
  }
  return examineAll(context, databases, chosen);
}

async function examine(
  context: CommandContext,
  database: NamedDatabase,
  chosen: DoctorOptions,
  isOne: boolean,
): Promise<DoctorReport> {
  const { CloacinaAdmin, runDoctor } = await loadLibrary();
  const { databaseUrl, server } = database;
  const tenants = isOne
    ? 1
    : (await new CloacinaAdmin(adminOptionsOf([database])).listTenants()).length;
  const what = server === undefined ? 'Examining' : `Examining ${server}`;
  const bar = await progressBar(context, what, tenants + 1);
  return runDoctor({
    databaseUrl,
    ...chosen,
    onProgress: (done, total) => bar.update(done, total),
  }).finally(() => bar.stop());
}

/** A server that is away is no reason to leave out the others. */
async function examineAll(
  context: CommandContext,
  databases: readonly NamedDatabase[],
  chosen: ServersDoctorOptions,
): Promise<ExitCode> {
  const { runDoctorOnServers } = await loadLibrary();
  const { servers = {} } = adminOptionsOf(databases);
  const names = Object.keys(servers);
  const bar = await progressBar(context, 'Examining', 100);
  const report = await runDoctorOnServers(servers, {
    ...chosen,
    // The number of tenants of a server is known when its turn has come, so each server is an equal part.
    onProgress: (done, total, server) => {
      const percent = ((names.indexOf(server) + done / total) / names.length) * 100;
      bar.update(Math.round(percent), 100, `Examining ${server} (${done} of ${total})`);
    },
  }).finally(() => bar.stop());
  const examined = report.servers.flatMap((one) => ('error' in one ? [] : [one]));
  const isWell =
    report.findings.length === 0 && examined.every(({ findings }) => findings.length === 0);
  const printed = (): string =>
    [
      ...examined.map((one) => print(context, one, one.server)),
      ...report.findings.map((finding) => describe(context, finding)),
    ].join('\n\n');
  return context.answer(report, printed, isWell ? ExitCode.ok : ExitCode.failed);
}

function print(
  context: CommandContext,
  { database, schemas, findings, skipped }: DoctorReport,
  server: string | undefined,
): string {
  const { colors } = context;
  const parts = [
    (server === undefined ? '' : `${colors.bold(server)}: `) +
      oneLine(
        `PostgreSQL ${database.version}, database "${database.database}" at ${database.host}:${database.port}, as "${database.login}": ${counted(schemas.length, 'tenant')}.`,
      ),
    ...findings.map((finding) => describe(context, finding)),
  ];
  if (skipped.length > 0) {
    const lines = skipped.map(
      ({ check, schema, reason }) =>
        `  ${check}${schema === undefined ? '' : ` (${oneLine(schema)})`}: ${oneLine(reason)}`,
    );
    parts.push([colors.bold('Not examined'), ...lines].join('\n'));
  }
  parts.push(findings.length === 0 ? 'No findings.' : `${counted(findings.length, 'finding')}.`);
  return parts.join('\n\n');
}

function describe(context: CommandContext, finding: DoctorFinding): string {
  const { check, severity, title, detail, advice } = finding;
  return [
    `${status(context, severity).text} ${context.colors.bold(title)} (${check})`,
    `  ${oneLine(detail)}`,
    `  → ${oneLine(advice)}`,
  ].join('\n');
}
