import type { CloacinaRunner, ExecutionStatus } from '../../../index.js';
import type { CommandContext } from '../../command-context.js';
import { CommandFailure, ExitCode } from '../../exit-code.js';
import { errorDocument, type ErrorDocument } from '../../failure.js';
import { confirmed } from '../../output/confirm.js';
import { progressBar } from '../../output/progress.js';
import { counted, printable } from '../../output/text.js';

/** What became of one execution. */
interface Controlled {
  readonly id: string;
  readonly status?: ExecutionStatus;
  readonly error?: ErrorDocument;
}

export async function cancel(
  context: CommandContext,
  { reason }: { readonly reason?: string },
  ids: readonly string[],
): Promise<ExitCode> {
  const question = `This cancels ${counted(ids.length, 'execution')}.`;
  if (!(await confirmed(context, question))) throw new CommandFailure('Nothing was cancelled.');
  const options = reason === undefined ? {} : { reason };
  return control(context, 'Cancelled', ids, (runner, id) => runner.cancel(id, options));
}

export function retry(
  context: CommandContext,
  { discardSteps, allItems }: { readonly discardSteps?: boolean; readonly allItems?: boolean },
  ids: readonly string[],
): Promise<ExitCode> {
  return control(context, 'Retrying', ids, (runner, id) =>
    runner.retry(id, {
      ...(discardSteps === true ? { steps: 'discard' } : {}),
      ...(allItems === true ? { items: 'all' } : {}),
    }),
  );
}

/** One after the other: an id that is refused does not stop the others. */
function control(
  context: CommandContext,
  done: string,
  ids: readonly string[],
  call: (runner: CloacinaRunner, id: string) => Promise<void>,
): Promise<ExitCode> {
  return context.withTenant(async ({ runner }) => {
    const bar = await progressBar(context, done, ids.length);
    const executions: Controlled[] = [];
    for (const id of ids) {
      try {
        await call(runner, id);
        const status = (await runner.statuses([id])).get(id);
        executions.push({ id, ...(status === undefined ? {} : { status }) });
      } catch (error) {
        executions.push({ id, error: errorDocument(error) });
      }
      bar.update(executions.length, ids.length);
    }
    bar.stop();
    const failed = executions.filter(({ error }) => error !== undefined);
    for (const { error } of failed)
      context.terminal.stderr.write(`${printable(error?.message ?? '')}\n`);
    return context.answer(
      { executions },
      () =>
        executions
          .map(({ id, status, error }) =>
            error === undefined ? `${done} ${id}: ${status ?? 'gone'}.` : `Failed ${id}.`,
          )
          .join('\n'),
      failed.length > 0 ? ExitCode.failed : ExitCode.ok,
    );
  });
}
