import type { Execution, HistoryEntry, TaskDetails } from '../../../index.js';
import type { CommandContext } from '../../command-context.js';
import { CommandFailure, ExitCode } from '../../exit-code.js';
import { status, Styled } from '../../output/status.js';
import { table } from '../../output/table.js';
import { errorText, oneLine, time } from '../../output/text.js';

/** Length of a context that is printed for people. */
const MAX_CONTEXT = 2_000;

export function show(
  context: CommandContext,
  { history }: { readonly history?: boolean },
  id: string,
): Promise<ExitCode> {
  return context.withTenant(async ({ runner }, { tenant }) => {
    const execution = await runner.get(id);
    if (execution === null) throw unknownExecution(id, tenant);
    const entries = history === true ? ((await runner.history(id)) ?? []) : undefined;
    return context.answer(
      { execution, ...(entries === undefined ? {} : { history: entries }) },
      () => describe(context, execution, entries),
      ExitCode.ok,
    );
  });
}

/** As the library names an unknown execution when it is to be changed. */
export function unknownExecution(id: string, tenant: string): CommandFailure {
  return new CommandFailure(`Tenant "${tenant}" has no execution ${oneLine(id, 100)}.`);
}

function describe(
  context: CommandContext,
  execution: Execution,
  entries: readonly HistoryEntry[] | undefined,
): string {
  const { colors } = context;
  const facts: [string, string | Styled | undefined][] = [
    ['id', execution.id],
    [
      'workflow',
      execution.workflow + (execution.version === undefined ? '' : ` ${execution.version}`),
    ],
    ['status', status(context, execution.status)],
    ['key', execution.idempotencyKey],
    ['tags', execution.tags === undefined ? undefined : JSON.stringify(execution.tags)],
    ['parent', execution.parent?.id],
    ['created', time(execution.createdAt)],
    ['started', time(execution.startedAt)],
    ['ended', time(execution.completedAt)],
    ['reason', execution.reason],
    ['waits', execution.waitingFor?.detail],
    ['error', execution.error === undefined ? undefined : errorText(execution.error)],
    ['context', oneLine(JSON.stringify(execution.context), MAX_CONTEXT)],
  ];
  const lines = facts.flatMap(([name, value]) =>
    value === undefined
      ? []
      : [`${colors.bold(name.padEnd(9))} ${value instanceof Styled ? value.text : oneLine(value)}`],
  );
  const tasks = table(
    context,
    ['task', 'kind', 'status', 'attempt', 'started', 'ended', 'why'],
    execution.tasks.map((task) => taskRow(context, task)),
  );
  const attempts = execution.tasks.flatMap((task) =>
    task.attempts.map((each) => [
      task.name,
      String(each.attempt),
      time(each.startedAt),
      `${each.durationMs} ms`,
      each.error === undefined ? 'completed' : errorText(each.error),
    ]),
  );
  const parts = [lines.join('\n'), tasks];
  if (attempts.length > 0)
    parts.push(table(context, ['attempt of', 'no', 'started', 'took', 'result'], attempts));
  if (entries !== undefined) parts.push(historyTable(context, entries));
  return parts.join('\n\n');
}

function taskRow(context: CommandContext, task: TaskDetails): (string | Styled)[] {
  const why =
    task.waitingFor?.detail ??
    (task.error === undefined ? (task.skipReason ?? '') : errorText(task.error));
  return [
    task.name,
    task.kind,
    status(context, task.status),
    String(task.attempt),
    time(task.startedAt),
    time(task.completedAt),
    why,
  ];
}

function historyTable(context: CommandContext, entries: readonly HistoryEntry[]): string {
  const rows = entries.map(({ at, type, ...rest }) => [
    time(at),
    type,
    oneLine(JSON.stringify(rest, withoutStack), 200),
  ]);
  return table(context, ['time', 'what', 'details'], rows);
}

/** The stack of an error is for --json: on a line of a table it would hide the message. */
function withoutStack(name: string, value: unknown): unknown {
  return name === 'stack' ? undefined : value;
}
