import type { ClaimGate } from '../claims/claim-gate.js';
import type { ClaimReceiver } from '../claims/claim-receiver.js';
import type { TenantQueue } from '../slots/tenant-queue.js';
import { OpenKeys } from './open-keys.js';
import { UncommittedStarts } from './uncommitted-starts.js';
import { keyIsHeld } from './start-failures.js';
import { keyOf, Starter, toStartItem, type StartRequest, type Started } from './starter.js';
import type { TenantEvents } from '../../events/tenant-events.js';
import type { ProcessServices, TenantSettings } from '../process-services.js';
import {
  isCreated,
  type ExecutionStore,
  type StartStore,
  type UserTransaction,
} from '../../store/port/index.js';
import type { FailureClassifier } from '../../runtime/failure.js';

export interface ExecutionStartsParts {
  readonly settings: TenantSettings;
  readonly store: StartStore & Pick<ExecutionStore, 'executions'> & FailureClassifier;
  readonly queue: TenantQueue;
  readonly gate: ClaimGate;
  readonly services: ProcessServices;
  readonly receiver: ClaimReceiver;
  readonly events: TenantEvents;
  /** Tasks are ready that were not taken with their start. */
  readonly wakeWorkers: () => void;
  /** Tasks become ready in `ms` milliseconds. */
  readonly dueIn: (ms: number) => void;
  /** A claim may have been committed without this process knowing. */
  readonly reconcile: () => void;
  /** The database has lost definitions that this process had stored. */
  readonly definitionsMissing: () => void;
}

/** Starts executions, by themselves or inside a caller's transaction, and goes on with what was claimed with them. */
export class ExecutionStarts {
  private readonly starter: Starter;
  private readonly openKeys = new OpenKeys();
  private readonly uncommitted: UncommittedStarts;

  constructor(private readonly parts: ExecutionStartsParts) {
    const { settings, store, queue, gate, services } = parts;
    this.uncommitted = new UncommittedStarts(store);
    this.starter = new Starter({
      tenant: settings.tenant,
      store,
      queue,
      gate,
      startTimeoutMs: settings.startTimeoutMs,
      queuedBytes: services.queuedBytes,
      isHeldHere: (request) => this.openKeys.isHeld(keyOf(request)),
      consequences: {
        created: ({ id, definition }) =>
          parts.events.executionStarted(id, definition.workflow.name),
        claimed: (request, claims) => parts.receiver.fromStart(request, claims),
        leftReady: (request) => this.rootsWait(request),
        mayBeWritten: () => parts.reconcile(),
        definitionsMissing: () => parts.definitionsMissing(),
      },
    });
  }

  start(request: StartRequest): Promise<Started> {
    return this.starter.start(request);
  }

  /**
   * Starts inside the caller's transaction; a process that is notified at the commit claims it.
   *
   * @throws DatabaseUnavailableError when another transaction held the key for `startTimeout`
   */
  async startIn(
    manager: UserTransaction,
    request: StartRequest,
  ): Promise<{ id: string; created: boolean }> {
    const { settings, store, gate, services, events, dueIn, definitionsMissing } = this.parts;
    const item = toStartItem(request, 0);
    const began = performance.now();
    const reply = await store
      .startIn(
        manager,
        item,
        gate.withoutClaim,
        services.workPayload(settings.address),
        settings.startTimeoutMs,
      )
      .catch((error: unknown) => {
        const waitedMs = performance.now() - began;
        throw store.classifyFailure(error).isLockTimeout
          ? keyIsHeld({ tenant: settings.tenant, request, waitedMs, isHeldHere: false }, error)
          : error;
      });
    if (!reply.definitionsAreStored) definitionsMissing();
    const created = isCreated(reply, item.id);
    if (created && item.idempotencyKey !== null) this.openKeys.add(keyOf(request), manager);
    if (created && events.wants('execution.started')) {
      this.uncommitted.add(item.id, manager, () =>
        events.executionStarted(item.id, item.plan.workflow),
      );
    }
    // The commit tells other processes that there is work; none looks again when it is not due yet.
    const delayMs = delayOf(request);
    if (delayMs > 0) dueIn(delayMs);
    if (created || item.idempotencyKey === null) return { id: item.id, created };
    const [id] = await store.findByKeys(
      [{ workflow: item.plan.workflow, key: item.idempotencyKey }],
      manager,
    );
    return { id: id ?? item.id, created: false };
  }

  whenIdle(): Promise<void> {
    return this.starter.whenIdle();
  }

  close(): void {
    this.starter.close();
    this.uncommitted.close();
  }

  private rootsWait(request: StartRequest): void {
    const delayMs = delayOf(request);
    if (delayMs > 0) this.parts.dueIn(delayMs);
    else this.parts.wakeWorkers();
  }
}

/** How long until a start is due; the database's clock decides, this says when to look. */
function delayOf({ runAt, delayMs }: StartRequest): number {
  return runAt === null ? (delayMs ?? 0) : runAt.getTime() - Date.now();
}
