import { BulkControl } from '../bulk/bulk-control.js';
import { ExecutionControl } from '../execution-control.js';
import { WorkflowPauses } from '../pauses/workflow-pauses.js';
import { PendingBound } from '../queues/pending-bound.js';
import { PriorityAging } from '../queues/priority-aging.js';
import type { WorkflowControl } from '../queues/workflow-control.js';
import { WorkflowTimeouts } from '../workflow-timeouts.js';
import type { CompletionRoom } from './completion.js';
import type { EngineCore } from './core.js';
import type { DefinitionsRoom } from './definitions.js';
import type { OutcomesRoom } from './outcomes.js';

export type ControlRoom = ReturnType<typeof wireControl>;

/** Control of executions from outside of their tasks: by callers, and by their timeouts. */
export function wireControl(
  core: EngineCore,
  { catalog, paused }: DefinitionsRoom,
  { ends, settler }: CompletionRoom,
  { completer }: OutcomesRoom,
) {
  const { store, services, clock, tenant, address, claims, events, lease, later } = core;
  const control = new ExecutionControl({
    address,
    store,
    claims,
    ends,
    completer,
    events,
    services,
    lease,
  });
  const wakeWorkers = (): void => later.wakeUps.wakeWorkers();
  const retries = {
    catalog,
    dueIn: (ms: number): void => later.wakeUps.executionDueIn(ms),
    endChildrenOf: (id: string): Promise<boolean> => settler.endChildrenOf(id),
  };
  const workflows: WorkflowControl = {
    pauses: new WorkflowPauses({
      address,
      store,
      paused,
      catalog,
      claims,
      completer,
      services,
      wakeWorkers,
    }),
    bound: new PendingBound(store, clock),
    aging: new PriorityAging({ store, catalog, wakeWorkers }),
  };
  return {
    control,
    bulk: new BulkControl({ clock, tenant, store, claims, ends, control, wakeWorkers, retries }),
    workflows,
    timeouts: new WorkflowTimeouts({ clock, tenant, store, claims, ends, events }),
  };
}
