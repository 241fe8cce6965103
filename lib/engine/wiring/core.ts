import type { RegisteredWorkflow, WorkflowRegistry } from '../../discovery/registered-workflow.js';
import type { TaskContext } from '../../discovery/task-context.js';
import { TenantEvents, type EventSink } from '../../events/tenant-events.js';
import type { TenantStore } from '../../store/port/index.js';
import type { CompiledWorkflow } from '../../workflow/index.js';
import type { CloacinaTelemetry } from '../../events/telemetry.js';
import { BacklogTurns } from '../claims/backlog-turns.js';
import { ClaimGate } from '../claims/claim-gate.js';
import type { ClaimReconciler } from '../claims/claim-reconciler.js';
import { ClaimTable } from '../claims/claim-table.js';
import { ChildUse } from '../children/child-use.js';
import type { Claimer } from '../claims/claimer.js';
import { ClaimsInFlight } from '../claims/claims-in-flight.js';
import { EngineState } from '../engine-state.js';
import type { ExecutionAdmitter } from '../admission/execution-admitter.js';
import type { DefinitionCatalog } from '../definitions/definition-catalog.js';
import type { Executor } from '../execution/executor.js';
import type { Overruns } from '../execution/overruns.js';
import type { TaskCompleter } from '../execution/task-completer.js';
import type { TaskInterceptors } from '../execution/task-interceptors.js';
import type { LimitedClaimer } from '../limits/limited-claimer.js';
import type { ItemCanceller } from '../map/item-canceller.js';
import type { MapRunner } from '../map/map-runner.js';
import { TenantLease } from '../lease/tenant-lease.js';
import type { ProcessServices, TenantSettings } from '../process-services.js';
import type { Archive } from '../retention/archiver.js';
import type { TenantSchedules } from '../schedules/tenant-schedules.js';
import type { Pacer } from '../../runtime/pacer.js';
import { PersistentRetry } from '../../runtime/persistent-retry.js';
import type { WakeUps } from '../wake-ups.js';

export interface TenantEngineParts {
  readonly settings: TenantSettings;
  readonly store: TenantStore;
  /** The data source that handlers get. */
  readonly dataSource: TaskContext['dataSource'];
  readonly runner: () => TaskContext['runner'];
  readonly registry: Pick<WorkflowRegistry, 'get' | 'list' | 'nameOf'>;
  readonly serves: (workflow: RegisteredWorkflow) => boolean;
  /** Older definitions, shared by all tenants of the process; see `DefinitionCatalog`. */
  readonly restored?: Map<string, Promise<CompiledWorkflow>>;
  /** The library's own workflows. Default: none. */
  readonly builtIns?: readonly RegisteredWorkflow[];
  readonly services: ProcessServices;
  readonly events: EventSink;
  /** The interceptors around every attempt. Default: none. */
  readonly interceptors?: TaskInterceptors;
  /** What the deletion of ended executions needs of the process. Absent: this process deletes none. */
  readonly retention?: { readonly pacer: Pick<Pacer, 'run'>; readonly archive?: Archive };
  /** What traces and measures the work. Default: nothing. */
  readonly telemetry?: CloacinaTelemetry | undefined;
}

/**
 * The parts that groups call although they are created after them. Read them only within functions that run once all groups
 * exist. These are all the circles of the engine: an outcome or a wake-up makes further claims, and a claim begins a task.
 */
export interface LaterParts {
  readonly claimer: Claimer;
  readonly limited: LimitedClaimer;
  readonly admitter: ExecutionAdmitter;
  readonly catalog: Pick<DefinitionCatalog, 'admits'>;
  readonly reconciler: ClaimReconciler;
  readonly wakeUps: WakeUps;
  readonly executor: Executor;
  readonly completer: TaskCompleter;
  readonly overruns: Overruns;
  readonly itemCanceller: ItemCanceller;
  readonly maps: MapRunner;
  readonly schedules: TenantSchedules;
}

export type EngineCore = ReturnType<typeof wireCore>;

/** What all groups of the engine share: the state, the claims in memory, the lease, the slots and the events. */
export function wireCore(given: TenantEngineParts, later: LaterParts) {
  const { settings, store, services } = given;
  const { tenant, address, leaseDurationMs, maxConcurrentTasks } = settings;
  const { clock } = services;
  const inFlight = new ClaimsInFlight();
  const lease = new TenantLease(
    // The services may become those of another server's connections.
    () => services.identity(),
    leaseDurationMs,
    () => services.renewLeases(),
    () => services.mustAnnounceLeases(),
  );
  const queue = services.slots.createQueue(maxConcurrentTasks, () => turns.hasRoom());
  const turns = new BacklogTurns({
    queue,
    claim: () => later.claimer.claimAvailable(),
    claimLimited: () => {
      later.limited.hasRoom();
      return later.limited.whenIdle();
    },
  });
  return {
    given,
    later,
    settings,
    store,
    services,
    clock,
    tenant,
    address,
    telemetry: given.telemetry,
    state: new EngineState(() => {
      later.claimer.stateChanged();
      later.limited.stateChanged();
      later.admitter.look();
    }),
    events: new TenantEvents(tenant, given.events),
    claims: new ClaimTable(clock),
    /** Repeats statements that a claim waits for. */
    whileHeld: new PersistentRetry(tenant, store, clock),
    childUse: new ChildUse(
      () => services.notifyChildren(address),
      () => later.catalog.admits,
    ),
    inFlight,
    lease,
    queue,
    turns,
    gate: new ClaimGate(queue, lease, inFlight, clock),
    /** Compares memory with the database, because a statement may have claimed without a reply. */
    reconcile: (): void => later.reconciler.request(),
  };
}
