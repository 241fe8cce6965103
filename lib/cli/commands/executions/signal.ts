import type { CommandContext } from '../../command-context.js';
import { ExitCode } from '../../exit-code.js';
import { loadLibrary } from '../../library.js';
import { readJson } from '../../read-input.js';

interface SignalOptions {
  readonly payload: string;
  readonly key?: string;
}

export async function sendSignal(
  context: CommandContext,
  { payload, key }: SignalOptions,
  id: string,
  name: string,
): Promise<ExitCode> {
  const value = await readJson(context.terminal, '--payload', payload);
  const { defineSignal } = await loadLibrary();
  return context.withTenant(async ({ runner }) => {
    const options = key === undefined ? {} : { idempotencyKey: key };
    await runner.signal(id, defineSignal(name), value, options);
    return context.answer(
      { id, signal: name },
      () => `Sent signal "${name}" to execution ${id}.`,
      ExitCode.ok,
    );
  });
}
