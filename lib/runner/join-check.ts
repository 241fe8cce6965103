import type { StartRequest } from '../engine/starts/start-request.js';
import { InvalidArgumentError } from '../errors/index.js';
import type { StartOptions } from './start-request.js';

/** Options that no start has that may join another one. */
const OTHERS = ['idempotencyKey', 'runAt', 'delay', 'startBefore', 'manager'] as const;

/** @throws InvalidArgumentError for options, or an admission, that can't be combined with starts that join others */
export function checkJoined(
  argument: 'debounce' | 'batch',
  options: StartOptions,
  { admission, definition }: StartRequest,
): void {
  const others = [...OTHERS, ...(argument === 'batch' ? (['debounce'] as const) : [])];
  for (const name of others) {
    if (options[name] === undefined) continue;
    throw new InvalidArgumentError(argument, `and ${name} cannot be combined; specify one of them`);
  }
  if (admission?.skips !== true) return;
  throw new InvalidArgumentError(
    argument,
    `cannot be used for workflow "${definition.workflow.name}", whose admission has whenFull: 'skip': a start is skipped at once or not at all`,
  );
}
