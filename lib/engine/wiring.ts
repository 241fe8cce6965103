import type { RegisteredWorkflow, WorkflowRegistry } from '../discovery/registered-workflow.js';
import type { TaskContext } from '../discovery/task-context.js';
import { TenantEvents, type EventSink } from '../events/tenant-events.js';
import type { TenantStore } from '../store/port/index.js';
import type { CompiledWorkflow } from '../workflow/index.js';
import { ChildStarter } from './children/child-starter.js';
import { Children } from './children/children.js';
import { EndSettler } from './children/end-settler.js';
import { ClaimGate } from './claims/claim-gate.js';
import { ClaimReceiver } from './claims/claim-receiver.js';
import { ClaimReconciler } from './claims/claim-reconciler.js';
import { ClaimTable } from './claims/claim-table.js';
import { Claimer } from './claims/claimer.js';
import { ClaimsInFlight } from './claims/claims-in-flight.js';
import { OrphanReceiver } from './claims/orphan-receiver.js';
import { TaskRescheduler } from './claims/task-rescheduler.js';
import { CompletionWaiters } from './completion/completion-waiters.js';
import { ExecutionEnds } from './completion/execution-ends.js';
import { DefinitionCatalog } from './definitions/definition-catalog.js';
import { DefinitionRestore } from './definitions/definition-restore.js';
import { StrandedTasks } from './definitions/stranded-tasks.js';
import { canRunRoots } from './definitions/runnable-definition.js';
import { EngineState } from './engine-state.js';
import { Abandonment } from './execution/abandonment.js';
import { Executor } from './execution/executor.js';
import { REFUSED } from './execution/handler-outcome.js';
import { HandlerRunner } from './execution/handler-runner.js';
import { OutcomeRecorder } from './execution/outcome-recorder.js';
import { Overruns } from './execution/overruns.js';
import { ProgressReports } from './execution/progress-reports.js';
import { Suspects } from './execution/suspects.js';
import { TaskCompleter } from './execution/task-completer.js';
import { TaskInterceptors } from './execution/task-interceptors.js';
import { ExecutionControl } from './execution-control.js';
import { LeaseRelease } from './lease/lease-release.js';
import { TenantLease } from './lease/tenant-lease.js';
import { FinalContextWriter } from './memory/final-context-writer.js';
import { InputReader } from './memory/input-reader.js';
import type { ProcessServices, TenantSettings } from './process-services.js';
import { ExecutionStarts } from './starts/execution-starts.js';
import { OpenKeys } from './starts/open-keys.js';
import { delayOf, keyOf } from './starts/start-item.js';
import { Starter, type StartConsequences } from './starts/starter.js';
import { TransactionalStarts } from './starts/transactional-starts.js';
import { TenantDrain } from './tenant-drain.js';
import { StepServices } from './waits/step-services.js';
import { EventExpiry } from './messages/event-expiry.js';
import { MessageDelivery } from './messages/message-delivery.js';
import { MessageSender } from './messages/message-sender.js';
import { MessageTaker } from './messages/message-taker.js';
import { TokenIssuer } from './messages/token-issuer.js';
import { WakeUps } from './wake-ups.js';
import { ExecutionChanges } from './watch/execution-changes.js';
import { WorkflowTimeouts } from './workflow-timeouts.js';

export interface TenantEngineParts {
  readonly settings: TenantSettings;
  readonly store: TenantStore;
  /** The data source that handlers get. */
  readonly dataSource: TaskContext['dataSource'];
  readonly runner: () => TaskContext['runner'];
  readonly registry: Pick<WorkflowRegistry, 'get' | 'list' | 'nameOf'>;
  readonly serves: (workflow: RegisteredWorkflow) => boolean;
  /** Older definitions, shared by all tenants of the process; see {@link DefinitionCatalog}. */
  readonly restored?: Map<string, Promise<CompiledWorkflow>>;
  readonly services: ProcessServices;
  readonly events: EventSink;
  /** The interceptors around every attempt. Default: none. */
  readonly interceptors?: TaskInterceptors;
}

export type WiredEngine = ReturnType<typeof wireEngine>;

/**
 * Creates the parts of one tenant's engine and connects them. The parts form a circle: a claim is received, its task
 * runs, and its outcome makes further claims. So some functions refer to parts that are created later. They are called
 * only after all parts exist.
 *
 * @param isRecovering - whether a recovery is taking orphans for this tenant
 */
// One long function, because splitting it would need a type for each part of the circle.
export function wireEngine(given: TenantEngineParts, isRecovering: () => boolean) {
  const { settings, store, services } = given;
  const { clock } = services;
  const { tenant, address, maxContextSize } = settings;
  const reconcile = (): void => reconciler.request();
  const wakeWorkers = (tasks?: number): void => wakeUps.wakeWorkers(tasks);
  const lookForOthers = (): void => void wakeUps.lookForOthers();
  const dueIn = (ms: number): void => wakeUps.dueIn(ms);
  const definitionsMissing = (): void => void restore.run();
  const isBusy = (): boolean =>
    claims.size > 0 || queue.reserved > 0 || claimer.isClaiming || reconciler.isPending;

  const state = new EngineState(() => claimer.stateChanged());
  const events = new TenantEvents(tenant, given.events);
  const claims = new ClaimTable(clock);
  const inFlight = new ClaimsInFlight();
  const lease = new TenantLease(
    services.identity,
    settings.leaseDurationMs,
    () => services.renewLeases(),
    () => services.mustAnnounceLeases(),
  );
  const release = new LeaseRelease({
    clock,
    state,
    store,
    lease,
    claims,
    isBusy,
    stillHeld: reconcile,
  });
  const queue = services.slots.createQueue(settings.maxConcurrentTasks, () =>
    claimer.claimAvailable(),
  );
  const gate = new ClaimGate(queue, lease, inFlight, clock);

  const catalog = new DefinitionCatalog(store, given.registry, given.serves, clock, given.restored);
  const restore = new DefinitionRestore(tenant, catalog);
  const stranded = new StrandedTasks(tenant, store, catalog, clock);

  const changes = new ExecutionChanges({
    clock,
    isActive: (id) => claims.isActive(id),
    notifyWatched: (id) => services.notifyWatched(address, id),
    notifyChanged: (id) => services.notifyChanged(address, id),
    listen: (changed) => (events.changed = changed),
  });
  const inputs = new InputReader(store, clock);
  const contexts = new FinalContextWriter(store, inputs, clock);
  const waiters = new CompletionWaiters(
    store,
    (id) => claims.isActive(id),
    () => services.hearsNotifications(),
    clock,
  );
  const ends = new ExecutionEnds({
    address,
    claims,
    waiters,
    contexts,
    events,
    services,
    reconcile,
    settle: (id, unsettled) => settler.ended(id, unsettled),
  });
  const settler = new EndSettler({
    clock,
    schema: settings.schema,
    store,
    claims,
    ends,
    events,
    wakeWorkers,
  });
  claims.onIdle = (id) => waiters.ownershipLost(id);
  claims.onDoubt = () => reconciler.doubt();

  const receiver = new ClaimReceiver({
    catalog,
    claims,
    take: (claim) => executor.take(claim),
    deadlineIn: (inMs) => services.schedule({ kind: 'deadline', tenant: address, inMs }),
  });
  const rescheduler = new TaskRescheduler(store, claims, clock);
  const recorder = new OutcomeRecorder(store, claims, gate, clock, {
    isAwaited: (id) => waiters.isAwaited(id),
    claimed: ({ claim }, readied, batch) => receiver.fromOutcome(claim, readied, batch),
    leftReady: (runsHere) => (runsHere ? wakeUps.leftHere(1) : wakeWorkers(1)),
    ended: (result, end) => ends.recorded(result, end),
    recorded: ({ claim, status, error }) => events.taskEnded(claim, status, error),
    refused: ({ claim }) => completer.complete(claim, REFUSED),
    mayBeWritten: reconcile,
  });
  const completer = new TaskCompleter({
    clock,
    state,
    store,
    claims,
    recorder,
    rescheduler,
    events,
    consequences: { dueIn, reconcile },
  });
  const suspects = new Suspects(store, completer);
  const overruns = new Overruns({
    clock,
    tenant,
    graceMs: settings.handlerGraceMs,
    queue,
    ended: () => claimer.claimAvailable(),
  });
  const steps = new StepServices({
    clock,
    store,
    maxSteps: settings.maxSteps,
    maxResultSize: maxContextSize,
    stored: (id) => events.changed?.(id),
    refused: (claim) => completer.complete(claim, REFUSED),
  });
  const delivery = new MessageDelivery({ clock, tenant, store, woken: () => dueIn(0) });
  const messages = new MessageSender({
    clock,
    tenant,
    store,
    timeoutMs: settings.startTimeoutMs,
    notification: services.messagePayload(address),
    delivery,
  });
  const taker = new MessageTaker({
    clock,
    store,
    steps,
    refused: (claim) => completer.complete(claim, REFUSED),
  });
  const progress = new ProgressReports({
    clock,
    store,
    holds: (claim) => claims.holds(claim),
    stored: (id) => events.changed?.(id),
  });
  const { dataSource, runner } = given;
  const interceptors = given.interceptors ?? new TaskInterceptors();
  const childStarter = new ChildStarter({
    clock,
    schema: settings.schema,
    store,
    gate,
    // A function for each, because the parts that they call are created later.
    consequences: {
      created: (request) => started.created(request),
      claimed: (request, count, batch) => started.claimed(request, count, batch),
      leftReady: (request, roots) => started.leftReady(request, roots),
      mayBeWritten: reconcile,
      definitionsMissing,
    },
    workPayload: () => services.workPayload(address),
  });
  const children = new Children({
    clock,
    store,
    catalog,
    nameOf: (workflow) => given.registry.nameOf(workflow),
    runner,
    starter: childStarter,
    settler,
    steps,
    retried: (id, workflow, dueInMs) => {
      control.told('retry', id, workflow);
      dueIn(dueInMs);
    },
  });
  const handlers = new HandlerRunner({
    clock,
    settings,
    store,
    dataSource,
    runner,
    recorder,
    gate,
    events,
    interceptors,
    steps,
    messages: taker,
    tokens: new TokenIssuer(tenant, clock, settings.signalSecrets),
    children,
    progress,
  });
  const executor = new Executor({
    clock,
    state,
    queue,
    inputs,
    handlers,
    completer,
    suspects,
    overruns,
    maxContextSize,
  });

  const abandonment = new Abandonment(store.recovery, claims, inputs, completer);
  const orphans = new OrphanReceiver({
    clock,
    tenant,
    catalog,
    gate,
    abandon: (orphan, definition) => abandonment.abandon(orphan, definition),
    events,
    definitionsUnknown: lookForOthers,
  });
  const reconciler = new ClaimReconciler({
    clock,
    tenant,
    store,
    claims,
    inFlight,
    maxRecoveryAttempts: settings.maxRecoveryAttempts,
    lease,
    orphans: () => orphans,
    wakeWorkers,
  });
  const claimer = new Claimer({
    clock,
    tenant,
    state,
    store,
    catalog,
    queue,
    gate,
    except: () => overruns.tasks(),
    consequences: {
      adopt: (task) => receiver.fromRow(task),
      reconcile,
      tryAgainIn: (inMs) => services.schedule({ kind: 'task', tenant: address, inMs }),
      foundNothing: lookForOthers,
      leftReady: () => wakeUps.leftMore(),
      cannotClaim: () => wakeUps.cannotClaim(),
    },
  });
  const wakeUps = new WakeUps({
    clock,
    address,
    queue,
    catalog,
    stranded,
    claimer,
    overruns,
    services,
  });

  const started: StartConsequences = {
    created: ({ id, definition, tags }) =>
      events.executionStarted(id, definition.workflow.name, tags),
    claimed: (request, count, batch) => receiver.fromStart(request, count, batch),
    leftReady: (request, roots) => {
      const delayMs = delayOf(request, clock);
      if (delayMs > 0) wakeUps.dueIn(delayMs);
      else if (canRunRoots(request.definition)) wakeUps.leftHere(roots);
      else wakeWorkers(roots);
    },
    mayBeWritten: reconcile,
    definitionsMissing,
  };
  const openKeys = new OpenKeys();
  const starter = new Starter({
    clock,
    tenant,
    store,
    gate,
    startTimeoutMs: settings.startTimeoutMs,
    queuedBytes: services.queuedBytes,
    isHeldHere: (request) => openKeys.isHeld(keyOf(request)),
    consequences: started,
  });
  const starts = new ExecutionStarts(
    starter,
    new TransactionalStarts({
      settings,
      store,
      gate,
      services,
      openKeys,
      events,
      consequences: { dueIn, definitionsMissing },
    }),
  );

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
  const timeouts = new WorkflowTimeouts({ clock, store, claims, ends, events });
  const isRecording = (): boolean =>
    inputs.isBusy ||
    recorder.isBusy ||
    steps.isBusy ||
    taker.isBusy ||
    messages.isBusy ||
    delivery.isBusy ||
    childStarter.isBusy ||
    children.isBusy ||
    settler.isBusy ||
    rescheduler.isBusy ||
    contexts.isBusy ||
    suspects.isNoting ||
    inFlight.isBusy ||
    isRecovering();
  const drain = new TenantDrain({
    clock,
    claims,
    queue,
    completer,
    recording: [
      starts,
      claimer,
      inputs,
      steps,
      taker,
      children,
      childStarter,
      settler,
      recorder,
      rescheduler,
      contexts,
      messages,
      delivery,
      reconciler,
    ],
    isBusy: () => isBusy() || isRecording(),
    isConnected: () => services.isConnected(),
  });

  return {
    state,
    catalog,
    claims,
    lease,
    release,
    queue,
    waiters,
    changes,
    claimer,
    wakeUps,
    starts,
    control,
    timeouts,
    overruns,
    orphans,
    reconciler,
    drain,
    childStarter,
    settler,
    messages,
    delivery,
    expiry: new EventExpiry(store),
    /** Whether the process has claims, or statements under way that may make some. */
    isBusy,
    /** The parts to close, in this order. */
    closing: [
      reconciler,
      starts,
      messages,
      delivery,
      steps,
      progress,
      taker,
      children,
      childStarter,
      settler,
      recorder,
      rescheduler,
      inputs,
      contexts,
      overruns,
      wakeUps,
      changes,
    ],
  };
}
