import { InvalidContextError } from '../../errors/index.js';
import { findLimitKey } from '../../workflow/index.js';
import type { RunnableDefinition } from '../definitions/runnable-definition.js';

/**
 * The limit keys of an execution's tasks, as the start stores them: JSON text of an object by task number, or null without
 * limits.
 *
 * @param input - JSON text of the input
 * @throws InvalidContextError if the input has no key for a task, or a key that is not valid
 */
export function limitKeysOf(
  { workflow, limited }: RunnableDefinition,
  input: string,
): string | null {
  if (limited.length === 0) return null;
  const root: unknown = JSON.parse(input);
  const keys: Record<number, string> = {};
  for (const { no, name, limit } of limited) {
    if (limit === undefined) continue;
    const found = findLimitKey(limit, root);
    if (!found.ok) {
      const path = limit.key ?? '';
      throw new InvalidContextError(
        path.split('.')[0] ?? '',
        path,
        `${found.problem}, and task "${name}" of workflow "${workflow.name}" needs it as the key of limit "${limit.name}"`,
      );
    }
    keys[no] = found.limitKey;
  }
  return JSON.stringify(keys);
}

/** The keys of the root tasks of a start, whose tasks are ready at once. */
export function rootKeysOf({ workflow }: RunnableDefinition, limitKeys: string | null): string[] {
  if (limitKeys === null) return [];
  const keys = JSON.parse(limitKeys) as Readonly<Record<number, string>>;
  return workflow.roots.flatMap((no) => keys[no] ?? []);
}
