import type { Attributes, Counter, Histogram, Meter } from '@opentelemetry/api';
import type { AttemptOutcome, TracedAttempt } from '../events/telemetry.js';
import type { TaskFacts, WorkflowEvent } from '../events/workflow-event.js';
import { BoundedNames } from './bounded-names.js';
import { ATTRIBUTE, METRIC } from './names.js';
import type { TenantLabels } from './tenant-labels.js';

/** Bounds of durations, in seconds: from a handler that does nothing to an execution of a week. */
const SECONDS = [
  0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1_800, 3_600, 21_600,
  86_400, 604_800,
];
/** Handlers name their errors, and a name may contain an id. */
const MAX_ERROR_TYPES = 50;
/** The semantic conventions' value for an error without a type of its own. */
const OTHER_ERRORS = '_OTHER';
const ITEMS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000];

/** The events that are measured. */
export const MEASURED_EVENTS = [
  'execution.started',
  'execution.ended',
  'task.ended',
  'task.retrying',
  'task.recovered',
  'task.abandoned',
  'claim.lost',
] as const;

/** Measures what happens. What is read when metrics are collected is in `gauges.ts`. */
export class Measurements {
  private readonly executionsStarted: Counter;
  private readonly executionsEnded: Counter;
  private readonly executionDuration: Histogram;
  private readonly tasksEnded: Counter;
  private readonly tasksRetried: Counter;
  private readonly tasksRecovered: Counter;
  private readonly claimsLost: Counter;
  private readonly attemptDuration: Histogram;
  private readonly taskWait: Histogram;
  private readonly recoveryDuration: Histogram;
  private readonly scheduleLag: Histogram;
  private readonly batchSize: Histogram;
  private readonly errorTypes = new BoundedNames(MAX_ERROR_TYPES, OTHER_ERRORS);

  /** @param wallTime - milliseconds since 1970 */
  constructor(
    meter: Meter,
    private readonly tenants: TenantLabels,
    private readonly wallTime: () => number,
  ) {
    const counter = (name: string, unit: string, description: string): Counter =>
      meter.createCounter(name, { unit, description });
    const histogram = (
      name: string,
      unit: string,
      description: string,
      explicitBucketBoundaries: number[],
    ): Histogram =>
      meter.createHistogram(name, { unit, description, advice: { explicitBucketBoundaries } });
    this.executionsStarted = counter(
      METRIC.executionsStarted,
      '{execution}',
      'Executions that were stored.',
    );
    this.executionsEnded = counter(
      METRIC.executionsEnded,
      '{execution}',
      'Executions that ended, by status.',
    );
    this.executionDuration = histogram(
      METRIC.executionDuration,
      's',
      'Time from the start of an execution, with its delay, to its end.',
      SECONDS,
    );
    this.tasksEnded = counter(METRIC.tasksEnded, '{task}', 'Tasks that ended, by status.');
    this.tasksRetried = counter(
      METRIC.tasksRetried,
      '{attempt}',
      'Failed attempts that are retried.',
    );
    this.tasksRecovered = counter(
      METRIC.tasksRecovered,
      '{task}',
      'Tasks that were taken from lost processes.',
    );
    this.claimsLost = counter(
      METRIC.claimsLost,
      '{claim}',
      'Claims that this process lost while it ran the task.',
    );
    this.attemptDuration = histogram(
      METRIC.attemptDuration,
      's',
      'Time that a handler ran.',
      SECONDS,
    );
    this.taskWait = histogram(
      METRIC.taskWait,
      's',
      'Time from when a task was due until its handler began.',
      SECONDS,
    );
    this.recoveryDuration = histogram(
      METRIC.recoveryDuration,
      's',
      'Time from the loss of a process until its tasks were Ready again.',
      SECONDS,
    );
    this.scheduleLag = histogram(
      METRIC.scheduleLag,
      's',
      'Time from when a firing of a schedule was due until it was stored.',
      SECONDS,
    );
    this.batchSize = histogram(
      METRIC.batchSize,
      '{item}',
      'Items of a statement that starts, claims or records.',
      ITEMS,
    );
  }

  /** Measures an event. Neither throws nor rejects. */
  receive(event: WorkflowEvent): void {
    switch (event.type) {
      case 'execution.started':
        this.executionsStarted.add(1, this.ofWorkflow(event.tenant, event.workflow));
        break;
      case 'execution.ended': {
        const attributes = {
          ...this.ofWorkflow(event.tenant, event.workflow),
          [ATTRIBUTE.status]: event.status,
        };
        this.executionsEnded.add(1, attributes);
        const startedAt = startTimeOf(event.executionId);
        const ms = startedAt === undefined ? undefined : this.wallTime() - startedAt;
        if (ms !== undefined) this.executionDuration.record(Math.max(0, ms) / 1_000, attributes);
        break;
      }
      case 'task.ended':
        this.tasksEnded.add(1, { ...this.ofTask(event), [ATTRIBUTE.status]: event.status });
        break;
      case 'task.retrying':
        this.tasksRetried.add(1, {
          ...this.ofTask(event),
          [ATTRIBUTE.errorType]: this.errorTypes.of(event.error.name),
        });
        break;
      case 'task.recovered':
      case 'task.abandoned':
        this.tasksRecovered.add(1, {
          ...this.ofTask(event),
          [ATTRIBUTE.cause]: event.cause,
          [ATTRIBUTE.outcome]: event.type === 'task.recovered' ? 'recovered' : 'abandoned',
        });
        break;
      case 'claim.lost':
        this.claimsLost.add(1, this.ofTask(event));
        break;
      default:
    }
  }

  attemptBegan(attempt: TracedAttempt): void {
    const { waitedMs } = attempt;
    if (waitedMs !== undefined) this.taskWait.record(waitedMs / 1_000, this.ofTask(attempt));
  }

  attemptEnded(
    attempt: TracedAttempt,
    outcome: AttemptOutcome,
    { ranMs, errorType }: { readonly ranMs: number; readonly errorType: string | undefined },
  ): void {
    this.attemptDuration.record(ranMs / 1_000, {
      ...this.ofTask(attempt),
      [ATTRIBUTE.outcome]: outcome,
      ...(errorType === undefined ? {} : { [ATTRIBUTE.errorType]: this.errorTypes.of(errorType) }),
    });
  }

  batch(kind: string, size: number): void {
    this.batchSize.record(size, { [ATTRIBUTE.kind]: kind });
  }

  recovered(tenant: string, cause: string, lostForMs: number): void {
    const attributes = { ...this.ofTenant(tenant), [ATTRIBUTE.cause]: cause };
    this.recoveryDuration.record(lostForMs / 1_000, attributes);
  }

  fired(tenant: string, workflow: string, lateMs: number): void {
    this.scheduleLag.record(lateMs / 1_000, this.ofWorkflow(tenant, workflow));
  }

  private ofTenant(tenant: string): Attributes {
    const label = this.tenants.of(tenant);
    return label === undefined ? {} : { [ATTRIBUTE.tenant]: label };
  }

  private ofWorkflow(tenant: string, workflow: string): Attributes {
    return { ...this.ofTenant(tenant), [ATTRIBUTE.workflow]: workflow };
  }

  private ofTask({ tenant, workflow, task }: Omit<TaskFacts, 'executionId'>): Attributes {
    return { ...this.ofWorkflow(tenant, workflow), [ATTRIBUTE.task]: task };
  }
}

/** The time in the id of an execution, a UUID of version 7, in milliseconds since 1970. */
function startTimeOf(executionId: string): number | undefined {
  if (executionId[14] !== '7') return undefined;
  return Number.parseInt(executionId.slice(0, 8) + executionId.slice(9, 13), 16);
}
