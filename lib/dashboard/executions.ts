import { HttpStatus, Inject, Injectable } from '@nestjs/common';
import type {
  Execution,
  ExecutionSummary,
  TaskDetails,
  ExecutionUpdate,
} from '../runner/execution.js';
import type { HistoryEntry } from '../runner/history-entry.js';
import type { CloacinaRunner } from '../runner/cloacina-runner.js';
import type { ExecutionStatus } from '../workflow/index.js';
import { DashboardAccess } from './access.js';
import { DASHBOARD_OPTIONS, type CheckedDashboardOptions } from './dashboard-options.js';
import type {
  ExecutionAction,
  ExecutionEvent,
  ExecutionResponse,
  ExecutionRow,
  Serialized,
  TaskRow,
} from './http-types.js';
import { DashboardProblem } from './problem.js';
import { Values } from './values.js';

const ACTIONS: Readonly<Record<ExecutionStatus, readonly ExecutionAction[]>> = {
  Pending: ['cancel', 'pause', 'signal'],
  Running: ['cancel', 'pause', 'signal'],
  Finishing: ['pause', 'signal'],
  Paused: ['cancel', 'resume', 'signal'],
  Completed: ['retry'],
  Failed: ['retry'],
  Cancelled: ['retry'],
};

export function noSuchExecution(): DashboardProblem {
  const detail = 'The tenant has no such execution.';
  return new DashboardProblem(HttpStatus.NOT_FOUND, 'UNKNOWN_EXECUTION', detail);
}

/** Makes what the page shows of executions. */
@Injectable()
export class ExecutionViews {
  readonly values: Values;

  constructor(
    @Inject(DASHBOARD_OPTIONS) options: CheckedDashboardOptions,
    @Inject(DashboardAccess) private readonly access: DashboardAccess,
  ) {
    this.values = new Values(options.redact);
  }

  row(tenant: string, summary: ExecutionSummary): ExecutionRow {
    return { tenant, ...serialized({ ...summary, ...this.tags(summary) }) };
  }

  async execution(
    tenant: string,
    runner: CloacinaRunner,
    execution: Execution,
  ): Promise<ExecutionResponse> {
    const { context, tasks, ...summary } = execution;
    const graph = runner.workflows().find(({ name }) => name === execution.workflow);
    return {
      ...this.row(tenant, summary),
      context: this.values.viewAll(context),
      tasks: tasks.map((task) => this.task(task)),
      ...(graph === undefined ? {} : { graph }),
      actions: this.access.readOnly ? [] : [...ACTIONS[execution.status]],
    };
  }

  event(tenant: string, update: ExecutionUpdate): ExecutionEvent {
    const { tasks, ...summary } = update;
    return { ...this.row(tenant, summary), tasks: tasks.map((task) => this.task(task)) };
  }

  private task({ progress, ...task }: TaskDetails): TaskRow {
    return {
      ...serialized(task),
      ...(progress === undefined
        ? {}
        : {
            progress: {
              value: this.values.view(progress.value),
              updatedAt: progress.updatedAt.toISOString(),
            },
          }),
    };
  }

  entry(entry: HistoryEntry): Serialized<HistoryEntry> {
    return serialized(
      entry.type === 'execution.created' ? { ...entry, ...this.tags(entry) } : entry,
    );
  }

  private tags({ tags }: Pick<ExecutionSummary, 'tags'>): Pick<ExecutionSummary, 'tags'> {
    if (tags === undefined) return {};
    const shown = Object.entries(tags).map(([name, value]) => [
      name,
      this.values.isHidden(name) ? '[redacted]' : value,
    ]);
    return { tags: Object.fromEntries(shown) as NonNullable<ExecutionSummary['tags']> };
  }
}

/** As JSON carries it. */
export function serialized<T>(value: T): Serialized<T> {
  return JSON.parse(JSON.stringify(value)) as Serialized<T>;
}
