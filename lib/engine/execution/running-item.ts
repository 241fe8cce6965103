import { ContextTooLargeError, InvalidContextError, NotAllowedError } from '../../errors/index.js';
import { decodeJson, encodeJson, type ContextView } from '../../workflow/index.js';
import type { TaskClaim } from '../claims/task-claim.js';
import { RunningTask } from './running-task.js';
import type { TaskSurroundings } from './task-surroundings.js';

/** The context of a run that reads the context of its execution, and does not write to it. */
abstract class ReadingTask extends RunningTask {
  override set(key: string): void {
    throw this.refusal(`context.set(${JSON.stringify(key)})`);
  }

  override delete(key: string): void {
    throw this.refusal(`context.delete(${JSON.stringify(key)})`);
  }

  protected abstract refusal(what: string): NotAllowedError;
}

/** The context of a run of a map that makes its items. */
export class RunningMap extends ReadingTask {
  protected override refusal(what: string): NotAllowedError {
    return new NotAllowedError(
      `${what} in the items of ${JSON.stringify(this.taskName)}`,
      'the items are what a map takes from the context',
      'Write to the context in a task that the map depends on.',
    );
  }
}

/** The context of one run of an item, as its handler sees it. */
export class RunningItem extends ReadingTask {
  private decoded: { readonly item: unknown } | undefined;

  get item(): unknown {
    return (this.decoded ??= { item: decodeJson(this.claim.item ?? 'null') }).item;
  }

  get index(): number {
    return this.claim.itemNo - 1;
  }

  override get idempotencyKey(): string {
    return `${super.idempotencyKey}:${this.index}`;
  }

  /**
   * The result of the handler as JSON text; null for none.
   *
   * @param maxSize - in bytes of JSON
   */
  resultJson(result: unknown, maxSize: number): string | null {
    if (result === undefined) return null;
    const encoded = encodeJson(result);
    const what = `The value that item ${this.index} of ${JSON.stringify(this.taskName)} returned`;
    if (!encoded.ok) {
      const whole = encoded.path === '' ? what : `${what}, at ${encoded.path},`;
      throw new InvalidContextError('', '', encoded.problem, { whole });
    }
    if (encoded.bytes <= maxSize) return encoded.json;
    throw new ContextTooLargeError(encoded.bytes, maxSize, [[what, encoded.bytes]]);
  }

  protected override refusal(what: string): NotAllowedError {
    return new NotAllowedError(
      `${what} in an item of ${JSON.stringify(this.taskName)}`,
      'the items of a map run at the same time, and share its context',
      'Return the value, and read the values of all items with context.results() in a task that depends on the map.',
    );
  }
}

/** The context of one run of a task or an item. */
export function runningOf(
  claim: TaskClaim,
  view: ContextView,
  surroundings: TaskSurroundings,
): RunningTask {
  return claim.isItem
    ? new RunningItem(claim, view, surroundings)
    : new RunningTask(claim, view, surroundings);
}
