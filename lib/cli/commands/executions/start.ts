import type { CloacinaRunner } from '../../../index.js';
import { CloacinaError } from '../../../errors/cloacina-error.js';
import { didYouMean } from '../../../errors/did-you-mean.js';
import type { CommandContext } from '../../command-context.js';
import { CommandFailure, ExitCode } from '../../exit-code.js';
import { oneLine } from '../../output/text.js';
import { readObject } from '../../read-input.js';

interface StartCommandOptions {
  readonly input?: string;
  readonly key?: string;
  readonly tag?: Record<string, string>;
  readonly priority?: number;
  readonly delay?: string;
  readonly runAt?: Date;
}

export async function start(
  context: CommandContext,
  { input, key, tag, priority, delay, runAt }: StartCommandOptions,
  workflow: string,
): Promise<ExitCode> {
  const given =
    input === undefined ? undefined : await readObject(context.terminal, '--input', input);
  return context.withTenant(async ({ runner }, { tenant }) => {
    const options = {
      ...(key === undefined ? {} : { idempotencyKey: key }),
      ...(tag === undefined ? {} : { tags: tag }),
      ...(priority === undefined ? {} : { priority }),
      ...(delay === undefined ? {} : { delay }),
      ...(runAt === undefined ? {} : { runAt }),
    };
    const { id, created } = await runner
      .start(workflow, given, options)
      .catch((error: unknown) => explainUnknown(error, runner, tenant, workflow));
    return context.answer(
      { id, workflow, created },
      () =>
        created
          ? `Started execution ${id} of workflow "${workflow}".`
          : `Execution ${id} of workflow "${workflow}" has this key already.`,
      ExitCode.ok,
    );
  });
}

/** The library advises to add the workflow's class, which is nothing to do here. */
async function explainUnknown(
  error: unknown,
  runner: CloacinaRunner,
  tenant: string,
  workflow: string,
): Promise<never> {
  if (!(error instanceof CloacinaError) || error.code !== 'UNKNOWN_WORKFLOW') throw error;
  const known = (await runner.counts()).map((each) => each.workflow);
  const name = oneLine(workflow, 200);
  throw new CommandFailure(
    `Tenant "${tenant}" has no definition of a workflow "${name}".${didYouMean(name, known)} ` +
      'A process that has its code stores one when it boots.',
    { cause: error },
  );
}
