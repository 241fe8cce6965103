import { currentTask } from '../engine/execution/current-task.js';
import { InvalidArgumentError, NotAllowedError } from '../errors/index.js';
import { formatValue } from '../errors/option-checks.js';
import { textProblem } from '../workflow/index.js';

/** @throws InvalidArgumentError for a reason that is not a string, or that PostgreSQL cannot store */
export function checkReason(reason: string | undefined): string | null {
  return checkText('reason', reason);
}

/** @throws InvalidArgumentError for an actor that is not a string, or that PostgreSQL cannot store */
export function checkActor(actor: string | undefined): string | null {
  return checkText('actor', actor);
}

function checkText(name: string, text: string | undefined): string | null {
  if (text === undefined) return null;
  const problem =
    typeof text === 'string' ? textProblem(text) : `must be a string, not ${formatValue(text)}`;
  if (problem === undefined) return text;
  throw new InvalidArgumentError(name, problem);
}

/**
 * A string that is not a UUID is allowed: no execution has it.
 *
 * @throws InvalidArgumentError unless `id` is a string
 */
export function checkId(id: string): string {
  if (typeof id === 'string') return id;
  const isHandle = typeof Reflect.get(Object(id), 'id') === 'string';
  const advice = isHandle ? '; use its id' : '';
  throw new InvalidArgumentError('id', `must be a string, not ${formatValue(id)}${advice}`);
}

/** @throws InvalidArgumentError unless `ids` is an array of at most `max` strings */
export function checkIds(ids: readonly string[], max: number): readonly string[] {
  if (!Array.isArray(ids)) {
    throw new InvalidArgumentError('ids', `must be an array of ids, not ${formatValue(ids)}`);
  }
  if (ids.length <= max) return ids.map(checkId);
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
    'the task holds the slot that the execution may need, so both could wait forever',
    'Use context.execute(), which starts a child and gives up the slot until the child has ended. To start an execution ' +
      'without waiting for it, use context.start() or start().',
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

/** @throws NotAllowedError if the options contain a manager: the execution cannot run before its transaction commits */
export function refuseManager(manager: unknown): void {
  if (manager === undefined) return;
  throw new NotAllowedError(
    'execute() with a manager',
    'no other transaction sees the execution before this one commits',
    'Use start() and wait for the result after the commit.',
  );
}
