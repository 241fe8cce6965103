import { InvalidContextError } from '../../errors/index.js';
import {
  decodeJson,
  findLimitKey,
  isItemPath,
  joinLimitKeys,
  mapLimitKey,
  type TaskLimit,
} from '../../workflow/index.js';
import type { TaskClaim } from '../claims/task-claim.js';

type MapClaim = Pick<TaskClaim, 'definition' | 'executionId' | 'task' | 'cache'>;

/** The key of the limit that a map with `concurrency` has for itself. Undefined without. */
export function mapKeyOf({
  definition,
  executionId,
  task,
}: Pick<MapClaim, 'definition' | 'executionId' | 'task'>): string | undefined {
  const { node, no } = task;
  if (node?.kind !== 'map' || node.concurrency === undefined) return undefined;
  return mapLimitKey({ definitionId: definition.id, executionId, taskNo: no });
}

/** The keys under which the items of a map count: for its `limit`, for its own `concurrency`, or for both. */
export class ItemLimit {
  private readonly mapKey: string | undefined;

  constructor(private readonly claim: MapClaim) {
    this.mapKey = mapKeyOf(claim);
  }

  /** Whether the input of the execution has the key. */
  get needsInput(): boolean {
    const path = this.claim.task.limit?.key;
    return path !== undefined && !isItemPath(path);
  }

  /**
   * The key of all items, or one for each of them. Null without a limit.
   *
   * @param items - JSON texts
   * @param stored - the number of items before them
   * @throws InvalidContextError if an item has no key, or a key that is not valid
   */
  keysOf(items: readonly string[], stored: number): string | readonly string[] | null {
    const { limit } = this.claim.task;
    if (limit === undefined) return this.mapKey ?? null;
    if (isItemPath(limit.key)) {
      return items.map((json, i) => {
        const what = `Item ${stored + i + 1} of map`;
        return this.find(limit, { item: decodeJson(json) }, what);
      });
    }
    return this.find(limit, this.inputOf(limit), 'The input, for the items of map');
  }

  private find(limit: TaskLimit, root: unknown, what: string): string {
    const found = findLimitKey(limit, root);
    if (!found.ok) {
      const { name } = this.claim.task;
      const problem = `${found.problem}, and limit ${JSON.stringify(limit.name)} needs it as the key`;
      const whole = `${what} ${JSON.stringify(name)} at ${limit.key ?? ''}`;
      throw new InvalidContextError('', '', problem, { whole });
    }
    return this.mapKey === undefined ? found.limitKey : joinLimitKeys(found.limitKey, this.mapKey);
  }

  /** The member of the input in which the path begins. */
  private inputOf({ key }: TaskLimit): unknown {
    const [member = ''] = key?.split('.') ?? [];
    const json = key === undefined ? undefined : this.claim.cache.inputJson(member);
    return json === undefined ? {} : { [member]: decodeJson(json) };
  }
}
