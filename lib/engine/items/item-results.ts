import type { ItemResult, ResultsOptions } from '../../discovery/map-options.js';
import { checkCallOptions } from '../../errors/call-options.js';
import { InvalidArgumentError, listNames } from '../../errors/index.js';
import { formatValue } from '../../errors/option-checks.js';
import type { StoredError } from '../../errors/index.js';
import type { AvailabilityRetry } from '../../runtime/availability-retry.js';
import { RESULTS_PAGE, type ItemResultRow, type ItemStore } from '../../store/port/index.js';
import {
  decodeJson,
  TASK_TRANSITIONS,
  type CompiledWorkflow,
  type TaskStatus,
} from '../../workflow/index.js';

/** Reads the results of a map of an execution, page by page. */
export type ReadResults = (
  executionId: string,
  workflow: CompiledWorkflow,
  mapTask: string,
  options?: ResultsOptions,
) => AsyncIterable<ItemResult<never>>;

const OPTIONS: ReadonlySet<string> = new Set<keyof ResultsOptions>(['status']);

/** Reads the results of items. The arguments are checked at once, the rows are read when they are asked for. */
export function itemResults(
  store: { readonly items: Pick<ItemStore, 'results'> },
  whileUnavailable: Pick<AvailabilityRetry, 'run'>,
): ReadResults {
  return (executionId, workflow, mapTask, options = {}) => {
    const taskNo = mapNoOf(workflow, mapTask);
    const status = checkStatus(options);
    return pages((after) =>
      whileUnavailable.run(() =>
        store.items.results({ executionId, taskNo }, { status, after, limit: RESULTS_PAGE }),
      ),
    );
  };
}

/** @throws InvalidArgumentError for an unknown option or status */
export function checkStatus(options: ResultsOptions): TaskStatus | undefined {
  checkCallOptions('results()', options, OPTIONS);
  const { status } = options;
  if (status === undefined || Object.hasOwn(TASK_TRANSITIONS, status)) return status;
  throw new InvalidArgumentError('status', `must be a status of tasks, not ${formatValue(status)}`);
}

/** @throws InvalidArgumentError if the workflow has no map of this name */
function mapNoOf({ name, tasks }: CompiledWorkflow, mapTask: unknown): number {
  const map = tasks.find((task) => task.name === mapTask && task.node?.kind === 'map');
  if (map !== undefined) return map.no;
  const maps = tasks.filter(({ node }) => node?.kind === 'map').map((task) => task.name);
  const known = maps.length === 0 ? 'it has no maps' : `its maps are ${listNames(maps)}`;
  throw new InvalidArgumentError(
    'mapTask',
    `must be the name of a map of workflow ${JSON.stringify(name)}, not ${formatValue(mapTask)}; ${known}`,
  );
}

async function* pages(
  read: (after: number) => Promise<ItemResultRow[]>,
): AsyncGenerator<ItemResult<never>, void, undefined> {
  for (let after = 0; ;) {
    const page = await read(after);
    const last = page.at(-1);
    if (last === undefined) return;
    after = last.itemNo;
    for (const row of page) yield resultOf(row);
  }
}

/** Statuses of items with an attempt that has begun and did not fail. */
const BEGUN: ReadonlySet<string> = new Set(['Completed', 'Running', 'Waiting']);

function resultOf({
  itemNo,
  item,
  status,
  output,
  error,
  attempt,
}: ItemResultRow): ItemResult<never> {
  const isCompleted = status === 'Completed';
  return {
    index: itemNo - 1,
    item: decodeJson(item),
    status: status as TaskStatus,
    ...(isCompleted && output !== null ? { value: decodeJson(output) as never } : {}),
    ...(error === null ? {} : { error: JSON.parse(error) as StoredError }),
    attempt: attempt + (BEGUN.has(status) ? 1 : 0),
  };
}
