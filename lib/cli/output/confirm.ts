import { UsageError } from '../exit-code.js';
import type { CommandContext } from '../command-context.js';

/**
 * Asks before something is destroyed. True with --yes.
 *
 * @param question - what will be gone
 * @throws UsageError if no person can answer
 */
export async function confirmed(
  { options, terminal }: CommandContext,
  question: string,
): Promise<boolean> {
  if (options.yes === true) return true;
  if (!terminal.isInteractive)
    throw new UsageError(
      `${question} No terminal is there to answer. Give --yes to do it without a question.`,
    );
  const { confirm, isCancel } = await import('@clack/prompts');
  const answer = await confirm({
    message: question,
    initialValue: false,
    input: terminal.stdin,
    output: terminal.stderr,
  });
  return !isCancel(answer) && answer;
}
