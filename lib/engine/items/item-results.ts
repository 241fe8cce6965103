import type { ItemResult, ResultsOptions } from '../../discovery/map-options.js';
import { checkCallOptions } from '../../errors/call-options.js';
import { InvalidArgumentError, listNames } from '../../errors/index.js';
import { formatValue } from '../../errors/option-checks.js';
import type { StoredError } from '../../errors/index.js';
import type { PersistentRetry } from '../../runtime/persistent-retry.js';
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

const OPTIONS: ReadonlySet<string> = new Set<keyof ResultsOptions>(['status', 'after']);

/** The highest number of an item that the database can store. */
const LAST_NO = 2 ** 31 - 1;

/** Reads the results of items. The arguments are checked at once, the rows are read when they are asked for. */
export function itemResults(
  store: { readonly items: Pick<ItemStore, 'results'> },
  whileUnavailable: Pick<PersistentRetry, 'run'>,
): ReadResults {
  return (executionId, workflow, mapTask, options = {}) => {
    const taskNo = mapNoOf(workflow, mapTask);
    const { status, after: from = -1 } = checkResultsOptions(options);
    const read = (after: number) =>
      whileUnavailable.run(() =>
        store.items.results({ executionId, taskNo }, { status, after, limit: RESULTS_PAGE }),
      );
    return pages(read, Math.min(from + 1, LAST_NO));
  };
}

/** @throws InvalidArgumentError for an unknown option or status, and for an `after` that is not an index */
export function checkResultsOptions(options: ResultsOptions): ResultsOptions {
  checkCallOptions('results()', options, OPTIONS);
  const { status, after } = options;
  if (status !== undefined && !Object.hasOwn(TASK_TRANSITIONS, status)) {
    throw new InvalidArgumentError(
      'status',
      `must be a status of tasks, not ${formatValue(status)}`,
    );
  }
  if (after !== undefined && !(Number.isSafeInteger(after) && after >= 0)) {
    throw new InvalidArgumentError(
      'after',
      `must be the index of an item, not ${formatValue(after)}`,
    );
  }
  return options;
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

/** @param from - the number of an item, from 1; 0 for the beginning */
async function* pages(
  read: (after: number) => Promise<ItemResultRow[]>,
  from: number,
): AsyncGenerator<ItemResult<never>, void, undefined> {
  for (let after = from; ;) {
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
