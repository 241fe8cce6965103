import { InvalidContextError } from '../../errors/index.js';
import { findLimitKey, type CompiledTask } from '../../workflow/index.js';
import type { ExecutionCache } from '../memory/execution-cache.js';
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

/** The key of a task with a limit, if this process knows the part of the input that decides it. */
export function knownLimitKey(
  cache: Pick<ExecutionCache, 'inputJson'>,
  { limit }: Pick<CompiledTask, 'limit'>,
): string | undefined {
  if (limit === undefined) return undefined;
  const [member = ''] = limit.key?.split('.') ?? [];
  const json = limit.key === undefined ? undefined : cache.inputJson(member);
  if (limit.key !== undefined && json === undefined) return undefined;
  const root: unknown = json === undefined ? {} : { [member]: JSON.parse(json) as unknown };
  const found = findLimitKey(limit, root);
  return found.ok ? found.limitKey : undefined;
}
