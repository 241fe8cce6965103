import { currentTask } from '../engine/execution/current-task.js';
import { InvalidArgumentError, NotAllowedError } from '../errors/index.js';
import { formatValue } from '../errors/option-checks.js';
import type { ResultOptions } from './execution-handle.js';
import type { CheckedWait } from './result-waiter.js';
import { DURATION_FORM, parseDuration, textProblem, type Duration } from '../workflow/index.js';

/** @throws InvalidArgumentError for what is no duration */
function checkTimeout(timeout: Duration | undefined): number | undefined {
  if (timeout === undefined) return undefined;
  const timeoutMs = parseDuration(timeout);
  if (timeoutMs !== undefined) return timeoutMs;
  throw new InvalidArgumentError(
    'timeout',
    `must be ${DURATION_FORM}, not ${formatValue(timeout)}`,
  );
}

/** @throws InvalidArgumentError for a timeout or a `settled` that is not valid */
export function checkWait({ timeout, settled = false }: ResultOptions): CheckedWait {
  if (typeof settled !== 'boolean') {
    throw new InvalidArgumentError('settled', `must be true or false, not ${formatValue(settled)}`);
  }
  return { timeoutMs: checkTimeout(timeout), settled };
}

/** @throws InvalidArgumentError for what is no text, or none that can be stored */
export function checkReason(reason: string | undefined): string | null {
  if (reason === undefined) return null;
  const problem =
    typeof reason === 'string'
      ? textProblem(reason)
      : `must be a string, not ${formatValue(reason)}`;
  if (problem === undefined) return reason;
  throw new InvalidArgumentError('reason', problem);
}

/** @throws InvalidArgumentError for what is no array of at most `max` ids; what is no UUID is the id of no execution */
export function checkIds(ids: readonly string[], max: number): readonly string[] {
  if (!Array.isArray(ids)) {
    throw new InvalidArgumentError('ids', `must be an array of ids, not ${formatValue(ids)}`);
  }
  if (ids.length <= max) return ids;
  throw new InvalidArgumentError(
    'ids',
    `must be at most ${max} ids, not ${ids.length}; ask for the others in another call`,
  );
}

/** @throws NotAllowedError inside a task's handler */
export function refuseInTask(what: string): void {
  if (currentTask() === undefined) return;
  throw new NotAllowedError(
    `Awaiting ${what} inside a task`,
    'the task holds the slot that the execution may need, so both could wait for ever',
    'Start the other execution with start() and let a later task deferUntil() it has ended, or make its tasks part of this workflow.',
  );
}

/** @throws NotAllowedError while the application boots */
export function refuseInBoot(what: string, hasBooted: boolean): void {
  if (hasBooted) return;
  throw new NotAllowedError(
    `Waiting with ${what} before the application has started`,
    'tasks begin to run after the hooks of all modules have returned, so the boot would wait for itself',
    'Call start() here, and wait for the result after app.init() or app.listen().',
  );
}

/** @throws NotAllowedError for a call that waits for what the transaction of the manager only starts */
export function refuseManager(manager: unknown): void {
  if (manager === undefined) return;
  throw new NotAllowedError(
    'execute() with a manager',
    'no other transaction sees the execution before this one commits',
    'Use start() and wait for the result after the commit.',
  );
}
