import { type Command, Option } from 'commander';
import type { CatchUp, CloacinaRunner, ScheduleSpec, TenantSchedule } from '../../index.js';
import type { CommandContext } from '../command-context.js';
import { CommandFailure, ExitCode, UsageError } from '../exit-code.js';
import { wholeNumber } from '../option-values.js';
import { status } from '../output/status.js';
import { table } from '../output/table.js';
import { oneLine, time } from '../output/text.js';
import type { RunCommand } from '../run-command.js';

/** The page size of a list. */
const PAGE = 500;

export function addSchedules(program: Command, run: RunCommand): void {
  const schedules = program
    .command('schedules')
    .description('See and control schedules of one tenant.');
  schedules
    .command('list')
    .description('List schedules, by name.')
    .option('--workflow <name>', 'only of this workflow')
    .addOption(
      new Option('--state <state>', 'only in this state').choices([
        'active',
        'paused',
        'ended',
        'broken',
      ]),
    )
    .action(run(list));
  schedules
    .command('pause')
    .description('Let a schedule not fire until it is resumed.')
    .argument('<name>', 'the name of the schedule')
    .option('--reason <text>', 'stored with the schedule')
    .action(run(pause));
  schedules
    .command('resume')
    .description('Let a paused schedule fire again.')
    .argument('<name>', 'the name of the schedule')
    .option(
      '--catch-up <which>',
      'firings of the pause to make up for: skip, once, or a number',
      'skip',
    )
    .action(run(resume));
  schedules
    .command('run')
    .description('Start an execution of a schedule now, beside its firings.')
    .argument('<name>', 'the name of the schedule')
    .addOption(
      new Option('--overlap <how>', 'what happens if another one runs').choices([
        'allow',
        'queue',
        'cancelPrevious',
        'skip',
      ]),
    )
    .action(run(runNow));
  schedules
    .command('preview')
    .description('Print the next times of a schedule, without jitter.')
    .argument('<name>', 'the name of the schedule')
    .option('--count <number>', 'how many, 1 to 500', wholeNumber(1, 500), 10)
    .action(run(preview));
}

function list(
  context: CommandContext,
  filter: { readonly workflow?: string; readonly state?: TenantSchedule['state'] },
): Promise<ExitCode> {
  return context.withTenant(async ({ runner }) => {
    const schedules: TenantSchedule[] = [];
    for (;;) {
      const last = schedules.at(-1)?.name;
      const after = last === undefined ? {} : { after: last };
      const page = await runner.schedules.list({ ...filter, ...after, limit: PAGE });
      schedules.push(...page);
      if (page.length < PAGE) break;
    }
    return context.answer(
      { schedules },
      () =>
        schedules.length === 0
          ? 'No schedules.'
          : table(
              context,
              ['name', 'workflow', 'state', 'when', 'next', 'last', 'why'],
              schedules.map((each) => [
                each.name,
                each.workflow,
                status(context, each.state),
                describeSpec(each.spec),
                time(each.nextAt),
                time(each.lastFiredFor),
                each.reason ?? each.lastError?.message ?? '',
              ]),
            ),
      ExitCode.ok,
    );
  });
}

function pause(
  context: CommandContext,
  { reason }: { readonly reason?: string },
  name: string,
): Promise<ExitCode> {
  const options = reason === undefined ? {} : { reason };
  return change(context, name, (runner) => runner.schedules.pause(name, options));
}

function resume(
  context: CommandContext,
  { catchUp }: { readonly catchUp: string },
  name: string,
): Promise<ExitCode> {
  const which = catchUpOf(catchUp);
  return change(context, name, (runner) => runner.schedules.resume(name, { catchUp: which }));
}

function catchUpOf(text: string): CatchUp {
  if (text === 'skip' || text === 'once') return text;
  if (/^[1-9]\d{0,4}$/.test(text)) return { all: Number(text) };
  throw new UsageError('--catch-up must be skip, once, or the number of firings to make.');
}

/** Changes a schedule, and prints it after the change. */
function change(
  context: CommandContext,
  name: string,
  call: (runner: CloacinaRunner) => Promise<void>,
): Promise<ExitCode> {
  return context.withTenant(async ({ runner }, { tenant }) => {
    await call(runner);
    const schedule = await known(runner, name, tenant);
    return context.answer(
      { schedule },
      () => `Schedule "${name}" is ${schedule.state}. Next: ${time(schedule.nextAt)}.`,
      ExitCode.ok,
    );
  });
}

function runNow(
  context: CommandContext,
  options: { readonly overlap?: 'allow' | 'cancelPrevious' | 'queue' | 'skip' },
  name: string,
): Promise<ExitCode> {
  return context.withTenant(async ({ runner }) => {
    const { id, created } = await runner.schedules.runNow(name, options);
    return context.answer(
      { schedule: name, id, created },
      () =>
        created
          ? `Started execution ${id} of schedule "${name}".`
          : `Started nothing: execution ${id} of schedule "${name}" still runs.`,
      ExitCode.ok,
    );
  });
}

function preview(
  context: CommandContext,
  { count }: { readonly count: number },
  name: string,
): Promise<ExitCode> {
  return context.withTenant(async ({ runner }, { tenant }) => {
    const { spec } = await known(runner, name, tenant);
    const times = runner.schedules.preview(spec, count);
    return context.answer(
      { schedule: name, times },
      () => (times.length === 0 ? 'No firing is left.' : times.map((at) => time(at)).join('\n')),
      ExitCode.ok,
    );
  });
}

async function known(
  runner: CloacinaRunner,
  name: string,
  tenant: string,
): Promise<TenantSchedule> {
  const schedule = await runner.schedules.get(name);
  if (schedule !== null) return schedule;
  throw new CommandFailure(`Tenant "${tenant}" has no schedule "${oneLine(name, 200)}".`);
}

function describeSpec(spec: ScheduleSpec): string {
  const { cron, every, at, timezone } = spec as {
    readonly cron?: string | readonly string[];
    readonly every?: string | number;
    readonly at?: unknown;
    readonly timezone?: string;
  };
  if (cron !== undefined)
    return [cron].flat().join('; ') + (timezone === undefined ? '' : ` ${timezone}`);
  if (every !== undefined) return `every ${typeof every === 'number' ? `${every} ms` : every}`;
  return at instanceof Date ? `at ${time(at)}` : 'once';
}
