import { ActionCalls } from './actions.js';
import { CloacinaLimits } from './cloacina-limits.js';
import { AvailabilityRetry } from '../runtime/availability-retry.js';
import { BulkActions } from './bulk/bulk-actions.js';
import { BulkCalls } from './bulk/bulk-calls.js';
import type { BulkParts } from './bulk/bulk-executions.js';
import { BulkStarts } from './bulk/bulk-starts.js';
import { CloacinaSchedules } from './cloacina-schedules.js';
import { ExecutionExplainer } from './explain/execution-explainer.js';
import { EndedExecutions } from './ended-executions.js';
import { ExecutionControl } from './execution-control.js';
import { ExecutionReader } from './execution-reader.js';
import { ExecutionStarter } from './execution-starter.js';
import { ExecutionWatches } from './execution-watches.js';
import { ItemReader } from './item-reader.js';
import { LimitReader } from './limit-reader.js';
import { MessageCalls } from './message-calls.js';
import { CloacinaPollers } from './pollers/cloacina-pollers.js';
import { Polls } from './pollers/polls.js';
import { RetentionCalls } from './retention.js';
import { ResultWaiter } from './result-waiter.js';
import type { RunnerParts } from './runner-parts.js';
import { ServedCalls } from './served-calls.js';
import { CloacinaStatistics } from './statistics/index.js';
import { StartCalls } from './start-calls.js';
import { TurnReader } from './turn-reader.js';
import { viewWorkflow } from './workflow-graph.js';
import { WorkflowPauseCalls } from './workflow-pause.js';

/** The objects that do the work of a runner's calls. */
export interface RunnerCalls extends BulkParts {
  readonly served: ServedCalls;
  readonly starter: ExecutionStarter;
  readonly starts: StartCalls;
  readonly control: ExecutionControl;
  readonly messages: MessageCalls;
  readonly schedules: CloacinaSchedules;
  readonly pollers: CloacinaPollers;
  readonly limits: CloacinaLimits;
  readonly pauses: WorkflowPauseCalls;
  readonly actions: ActionCalls;
  readonly retention: RetentionCalls;
  readonly statistics: CloacinaStatistics;
}

/** Creates the objects of one runner. */
export function wireRunner(parts: RunnerParts): RunnerCalls {
  const { engine, registry, serves, hasBooted, gate } = parts;
  const { catalog, changes, clock, settings, store, waiters } = engine;
  const { startTimeoutMs, tenant } = settings;
  const whileUnavailable = new AvailabilityRetry(tenant, store, startTimeoutMs, clock);
  const served = new ServedCalls(tenant, gate);
  const starter = new ExecutionStarter({ engine, registry, whileUnavailable });
  const hungHandlers = engine.hungHandlers.bind(engine);
  const limits = new LimitReader(store.limits, catalog, clock);
  const turns = new TurnReader(store.admissions, catalog, clock);
  const reader = new ExecutionReader(
    store,
    catalog,
    whileUnavailable,
    hungHandlers,
    clock,
    limits,
    (workflow) => engine.workflows.pauses.get(workflow),
    turns,
  );
  const control = new ExecutionControl({
    tenant,
    engine,
    whileServed: (work) => served.run(work),
    whileUnavailable,
  });
  const ended = new EndedExecutions({ tenant, waiters, reader });
  const waits = new ResultWaiter({ clock, tenant, hasBooted, ended });
  const starts = new StartCalls({ starter, waits, control, served, hasBooted });
  return {
    served,
    starter,
    starts,
    schedules: new CloacinaSchedules({
      tenant,
      engine,
      starter,
      served,
      whileUnavailable,
      nameOf: (workflow) => registry.nameOf(workflow),
      handle: (id, created = true) => starts.handle(id, created),
    }),
    pollers: new CloacinaPollers({
      tenant,
      engine,
      polls: new Polls({ engine, starter }),
      served,
      whileUnavailable,
    }),
    reader,
    explainer: new ExecutionExplainer({ engine, whileUnavailable }),
    control,
    bulkStarts: new BulkStarts({ tenant, engine, starter }),
    bulk: new BulkCalls({
      engine,
      actions: new BulkActions({ engine, whileUnavailable }),
      whileUnavailable,
    }),
    limits: new CloacinaLimits({
      engine,
      reader: limits,
      turns,
      nameOf: (workflow) => registry.nameOf(workflow),
      served,
      whileUnavailable,
    }),
    pauses: new WorkflowPauseCalls({
      engine,
      nameOf: (workflow) => registry.nameOf(workflow),
      starter,
      served,
      whileUnavailable,
    }),
    retention: new RetentionCalls({ tenant, engine, served, whileUnavailable }),
    actions: new ActionCalls({ engine, served, whileUnavailable }),
    statistics: new CloacinaStatistics({ engine, reader, served, whileUnavailable }),
    messages: new MessageCalls({ tenant, engine, starter, whileUnavailable }),
    watches: new ExecutionWatches({
      clock,
      tenant,
      waiters,
      changes,
      hearsNotifications: () => engine.hearsNotifications,
      read: (id) => reader.update(id),
    }),
    items: new ItemReader({
      tenant,
      store,
      catalog,
      whileUnavailable,
      whileServed: (work) => served.run(work),
    }),
    hasBooted,
    workflows: () =>
      registry
        .list()
        .filter((workflow) => workflow.polledFor === undefined && serves(workflow))
        .map(viewWorkflow),
  };
}
