import { BulkControl } from '../bulk/bulk-control.js';
import { ExecutionControl } from '../execution-control.js';
import { WorkflowTimeouts } from '../workflow-timeouts.js';
import type { CompletionRoom } from './completion.js';
import type { EngineCore } from './core.js';
import type { OutcomesRoom } from './outcomes.js';

export type ControlRoom = ReturnType<typeof wireControl>;

/** Control of executions from outside of their tasks: by callers, and by their timeouts. */
export function wireControl(
  core: EngineCore,
  { ends }: CompletionRoom,
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
  return {
    control,
    bulk: new BulkControl({ clock, tenant, store, claims, ends, control, wakeWorkers }),
    timeouts: new WorkflowTimeouts({ clock, store, claims, ends, events }),
  };
}
