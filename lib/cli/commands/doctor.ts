import type { Command } from 'commander';
import type { DoctorFinding, DoctorReport } from '../../index.js';
import type { CommandContext } from '../command-context.js';
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
  const { databaseUrl, options } = context;
  const isOne = options.tenant !== undefined || options.schema !== undefined;
  const schemas = isOne ? { schemas: [(await context.target()).schema] } : {};
  const { CloacinaAdmin, runDoctor } = await loadLibrary();
  const tenants = isOne ? 1 : (await new CloacinaAdmin({ databaseUrl }).listTenants()).length;
  const bar = await progressBar(context, 'Examining', tenants + 1);
  const report = await runDoctor({
    databaseUrl,
    ...schemas,
    ...(check === undefined ? {} : { checks: check }),
    ...(ignore === undefined ? {} : { ignore }),
    ...(role === undefined ? {} : { role }),
    onProgress: (done, total) => bar.update(done, total),
  }).finally(() => bar.stop());
  return context.answer(
    report,
    () => print(context, report),
    report.findings.length === 0 ? ExitCode.ok : ExitCode.failed,
  );
}

function print(
  context: CommandContext,
  { database, schemas, findings, skipped }: DoctorReport,
): string {
  const { colors } = context;
  const parts = [
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
