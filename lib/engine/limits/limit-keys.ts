import { InvalidContextError } from '../../errors/index.js';
import type { LimitRequest } from '../../store/port/index.js';
import {
  findLimitKey,
  isItemPath,
  mapKeyIn,
  MAX_CONCURRENCY,
  splitLimitKey,
  type CompiledTask,
  type LimitTable,
} from '../../workflow/index.js';
import type { ExecutionCache } from '../memory/execution-cache.js';
import type { ClaimableDefinitions } from '../definitions/claimable-definitions.js';
import type { RunnableDefinition } from '../definitions/runnable-definition.js';

/**
 * The limit keys of an execution's tasks, as the start stores them: JSON text of an object by task number, or null without
 * limits. The items of a map get theirs when they are stored.
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
  for (const { no, name, limit, node } of limited) {
    const isMap = node?.kind === 'map';
    if (limit === undefined || (isMap && isItemPath(limit.key))) continue;
    const found = findLimitKey(limit, root);
    if (!found.ok) {
      const path = limit.key ?? '';
      throw new InvalidContextError(
        path.split('.')[0] ?? '',
        path,
        `${found.problem}, and task "${name}" of workflow "${workflow.name}" needs it as the key of limit "${limit.name}"`,
      );
    }
    if (!isMap) keys[no] = found.limitKey;
  }
  return Object.keys(keys).length === 0 ? null : JSON.stringify(keys);
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

/** Asks for the tasks of a key that may be claimed, with the numbers of the running code. */
export function requestOf(
  limits: LimitTable,
  { limitedBy }: Pick<ClaimableDefinitions, 'limitedBy'>,
  limitKey: string,
): LimitRequest {
  const { name } = splitLimitKey(limitKey);
  const numbers = limits.get(name) ?? {};
  const definitions = limitedBy.get(name) ?? [];
  const mapKey = mapKeyIn(limitKey);
  if (mapKey === undefined) return { limitKey, numbers, definitions };
  const { concurrency = MAX_CONCURRENCY } = limits.get(splitLimitKey(mapKey).name) ?? {};
  return { limitKey, numbers, definitions, mapConcurrency: concurrency };
}
