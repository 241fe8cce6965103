import type { ExecutionExplanation } from '../../../index.js';
import type { CommandContext } from '../../command-context.js';
import { ExitCode } from '../../exit-code.js';
import { status } from '../../output/status.js';
import { table } from '../../output/table.js';
import { oneLine, time } from '../../output/text.js';
import { unknownExecution } from './show.js';

/** Workflows of a process in the table. */
const MAX_SERVED = 5;

export function explain(context: CommandContext, _options: object, id: string): Promise<ExitCode> {
  return context.withTenant(async ({ runner }, { tenant }) => {
    const explanation = await runner.explain(id);
    if (explanation === null) throw unknownExecution(id, tenant);
    return context.answer(explanation, () => describe(context, explanation), ExitCode.ok);
  });
}

function describe(context: CommandContext, explanation: ExecutionExplanation): string {
  const { workflow, executionId, summary, tasks } = explanation;
  const head = `${oneLine(workflow)} ${executionId}: ${status(context, explanation.status).text}`;
  const parts = [`${head}\n${oneLine(summary)}`];
  if (tasks.length > 0) {
    const rows = tasks.map(({ task, item, status: of, attempt, text }) => [
      item === undefined ? task : `${task} #${item}`,
      status(context, of),
      String(attempt),
      text,
    ]);
    parts.push(table(context, ['task', 'status', 'attempt', 'why'], rows));
  }
  const { processes } = explanation;
  if (processes.length > 0) {
    const rows = processes.map(({ name, state, slots, claimed, since, serves }) => {
      const more = serves.length - MAX_SERVED;
      const served = serves.slice(0, MAX_SERVED).join(', ') + (more > 0 ? ` and ${more} more` : '');
      return [name, state, `${claimed} of ${slots}`, time(since), served];
    });
    parts.push(table(context, ['process', 'state', 'tasks', 'since', 'serves'], rows));
  }
  return parts.join('\n\n');
}
