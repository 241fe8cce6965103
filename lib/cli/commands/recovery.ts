import type { Command } from 'commander';
import type { DoctorReport } from '../../index.js';
import type { CommandContext } from '../command-context.js';
import { ExitCode } from '../exit-code.js';
import { loadLibrary } from '../library.js';
import { pastTime, wholeNumber } from '../option-values.js';
import { table } from '../output/table.js';
import { counted, oneLine, time } from '../output/text.js';
import type { RunCommand } from '../run-command.js';
import type { PlacedTarget } from '../target.js';

/** What recovery has left undone, by ids of the doctor's checks. */
const CHECKS = ['orphans', 'stuck-leases'];

export function addRecovery(program: Command, run: RunCommand): void {
  const recovery = program
    .command('recovery')
    .description('See and run the recovery of tasks of lost processes.');
  recovery
    .command('status')
    .description('Show what recovery did, and what it has left; exit code 1 if tasks wait for it.')
    .option('--since <time>', 'count from this date or time span on, such as 24h', pastTime)
    .option(
      '--limit <number>',
      'how many of the latest recoveries to show, 1 to 500',
      wholeNumber(1, 500),
      20,
    )
    .action(run(showStatus));
  recovery
    .command('run')
    .description(
      'Look for lost processes now, and recover their tasks. Safe at any time; exit code 1 if tasks still wait for it.',
    )
    .action(run(runRecovery));
}

function outstanding({ databaseUrl, schema }: PlacedTarget): Promise<DoctorReport> {
  return loadLibrary().then(({ runDoctor }) =>
    runDoctor({ databaseUrl, schemas: [schema], checks: CHECKS }),
  );
}

function linesOf(findings: DoctorReport['findings']): string {
  return findings.map(({ detail, advice }) => oneLine(`${detail} ${advice}`)).join('\n');
}

function showStatus(
  context: CommandContext,
  { since, limit }: { readonly since?: Date; readonly limit: number },
): Promise<ExitCode> {
  return context.withTenant(async ({ recovery }, target) => {
    const stats = await recovery.stats(since);
    const { items } = await recovery.events({
      limit,
      ...(since === undefined ? {} : { since }),
    });
    const { findings } = await outstanding(target);
    return context.answer(
      { stats, events: items, findings },
      () => {
        const { median, p95 } = stats.timeToRecoverMs;
        const parts = [
          `${counted(stats.recovered, 'task')} recovered, ${stats.abandoned} abandoned.` +
            (stats.recovered + stats.abandoned === 0
              ? ''
              : ` Time to recover: median ${median} ms, 95th percentile ${p95} ms.`),
        ];
        if (items.length > 0)
          parts.push(
            table(
              context,
              ['time', 'execution', 'task', 'what', 'cause', 'after'],
              items.map((each) => [
                time(each.at),
                each.executionId,
                each.taskName,
                each.kind,
                each.cause,
                `${each.orphanedForMs} ms`,
              ]),
            ),
          );
        parts.push(findings.length === 0 ? 'No task waits for recovery.' : linesOf(findings));
        return parts.join('\n\n');
      },
      findings.length === 0 ? ExitCode.ok : ExitCode.failed,
    );
  });
}

async function runRecovery(context: CommandContext): Promise<ExitCode> {
  const target = await context.target();
  const { schema } = target;
  // Opening the tenant recovers already, so the count begins before it, by the clock of the
  // database.
  const { at } = await outstanding(target);
  return context.withTenant(
    async ({ recovery }) => {
      await recovery.run();
      const { recovered, abandoned } = await recovery.stats(at);
      // A tenant whose rows this login may not change has only a line in the log, because recovery is repeated.
      const { findings } = await outstanding(target);
      return context.answer(
        { schema, recovered, abandoned, findings },
        () =>
          `${counted(recovered, 'task')} Ready again` +
          (abandoned > 0 ? `, ${abandoned} lost too often and Failed.` : '.') +
          (findings.length > 0 ? `\n\n${linesOf(findings)}` : ''),
        findings.length === 0 ? ExitCode.ok : ExitCode.failed,
      );
    },
    { recovers: true },
  );
}
