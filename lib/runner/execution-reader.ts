import { Batcher } from '../runtime/batcher.js';
import type { DefinitionCatalog } from '../engine/definitions/definition-catalog.js';
import type { HungHandler } from '../engine/execution/hung-handlers.js';
import type { AvailabilityRetry } from '../runtime/availability-retry.js';
import { InvalidArgumentError } from '../errors/index.js';
import { formatValue } from '../errors/option-checks.js';
import { textProblem, type ExecutionStatus } from '../workflow/index.js';
import { decodeCursor, encodeCursor } from './cursor.js';
import type { Execution, ExecutionFilter, ExecutionPage } from './execution.js';
import { viewExecution } from './execution-view.js';
import { definitionToShow } from './stand-in-definition.js';
import { checkDate } from './start-request.js';
import type {
  ExecutionListFilter,
  ExecutionRow,
  ExecutionStore,
  TaskRow,
} from '../store/port/index.js';
import type { FailureClassifier } from '../runtime/failure.js';

const DEFAULT_LIMIT = 50;
const MAX_LIMIT = 500;
/** Executions to one reading. */
const MAX_READ = 200;

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const STATUSES: readonly ExecutionStatus[] = [
  'Pending',
  'Running',
  'Paused',
  'Completed',
  'Failed',
  'Cancelled',
];

interface Question {
  readonly id: string;
  readonly askedAt: number;
}

/** Reads executions with their tasks; many at once when many are asked for at once. */
export class ExecutionReader {
  private readonly batcher: Batcher<Question, Execution | null>;

  constructor(
    private readonly store: ExecutionStore & FailureClassifier,
    private readonly catalog: DefinitionCatalog,
    private readonly whileUnavailable: AvailabilityRetry,
    private readonly hungHandlers: () => readonly HungHandler[],
  ) {
    this.batcher = new Batcher({
      maxItems: MAX_READ,
      send: (questions) => this.read(questions.map(({ id }) => id)),
      classify: (error) => store.classifyFailure(error),
      giveUp: ({ askedAt }, error) => whileUnavailable.giveUp(error, askedAt),
    });
  }

  /** Null for an id that there is no execution of, also for what is no UUID. */
  get(id: string): Promise<Execution | null> {
    if (!isExecutionId(id)) return Promise.resolve(null);
    return this.batcher.add({ id: id.toLowerCase(), askedAt: performance.now() });
  }

  async list(filter: ExecutionFilter): Promise<ExecutionPage<Execution>> {
    const limit = checkLimit(filter.limit);
    const checked = {
      workflow: checkWorkflow(filter.workflow),
      statuses: checkStatuses(filter.status),
      createdAfter: checkOptionalDate('createdAfter', filter.createdAfter),
      createdBefore: checkOptionalDate('createdBefore', filter.createdBefore),
      limit: limit + 1,
      after: filter.cursor === undefined ? undefined : decodeCursor(filter.cursor),
    };
    return this.whileUnavailable.run(() => this.readPage(checked, limit));
  }

  private async readPage(
    filter: ExecutionListFilter,
    limit: number,
  ): Promise<ExecutionPage<Execution>> {
    const rows = await this.store.list(filter);
    const page = rows.slice(0, limit);
    const last = page.at(-1);
    return {
      items: await this.join(page, this.store.tasks(page.map((row) => row.id))),
      nextCursor: rows.length > limit && last !== undefined ? encodeCursor(last) : null,
    };
  }

  close(): void {
    this.batcher.close();
  }

  private async read(ids: readonly string[]): Promise<(Execution | null)[]> {
    const unique = [...new Set(ids)];
    const found = await this.join(this.store.executions(unique), this.store.tasks(unique));
    const byId = new Map(found.map((execution) => [execution.id, execution]));
    return ids.map((id) => byId.get(id) ?? null);
  }

  private async join(
    executionRows: readonly ExecutionRow[] | Promise<readonly ExecutionRow[]>,
    taskRows: Promise<readonly TaskRow[]>,
  ): Promise<Execution[]> {
    const [rows, allTasks] = await Promise.all([executionRows, taskRows]);
    const tasks = new Map<string, TaskRow[]>(rows.map((row) => [row.id, []]));
    for (const task of allTasks) tasks.get(task.executionId)?.push(task);
    const executions: Execution[] = [];
    const hung = this.hungHandlers();
    for (const row of rows) {
      const rowsOfTasks = tasks.get(row.id) ?? [];
      const definition = await definitionToShow(this.catalog, row, rowsOfTasks.length);
      executions.push(viewExecution(row, rowsOfTasks, definition, hung));
    }
    return executions;
  }
}

export function isExecutionId(id: unknown): id is string {
  return typeof id === 'string' && UUID.test(id);
}

function checkLimit(limit: number | undefined): number {
  if (limit === undefined) return DEFAULT_LIMIT;
  if (Number.isInteger(limit) && limit >= 1 && limit <= MAX_LIMIT) return limit;
  throw new InvalidArgumentError(
    'limit',
    `must be a whole number from 1 to ${MAX_LIMIT}, not ${formatValue(limit)}`,
  );
}

function checkWorkflow(workflow: string | undefined): string | undefined {
  if (workflow === undefined) return undefined;
  const problem =
    typeof workflow === 'string'
      ? textProblem(workflow)
      : `must be a name, not ${formatValue(workflow)}`;
  if (problem === undefined) return workflow;
  throw new InvalidArgumentError('workflow', problem);
}

function checkOptionalDate(name: string, date: Date | undefined): Date | undefined {
  return date === undefined ? undefined : checkDate(name, date);
}

function checkStatuses(
  status: ExecutionStatus | ExecutionStatus[] | undefined,
): ExecutionStatus[] | undefined {
  if (status === undefined) return undefined;
  const statuses = Array.isArray(status) ? status : [status];
  const isUnknown = (each: ExecutionStatus): boolean => !STATUSES.includes(each);
  if (statuses.some(isUnknown)) {
    const unknown = statuses.find(isUnknown);
    throw new InvalidArgumentError(
      'status',
      `must be among ${STATUSES.join(', ')}, not ${formatValue(unknown)}`,
    );
  }
  // Each status is looked up by itself: one that is named twice would be listed twice.
  return [...new Set(statuses)];
}
