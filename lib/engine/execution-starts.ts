import type { EntityManager } from 'typeorm';
import { isCreated, type TenantStore } from '../store/store.js';
import type { ClaimsInFlight } from './claims-in-flight.js';
import type { ClaimIntake } from './claim-intake.js';
import type { Lane } from './lane.js';
import { OpenKeys } from './open-keys.js';
import { isLockTimeout, keyIsHeld } from './start-failures.js';
import { keyOf, Starter, toStartItem, type StartRequest, type Started } from './starter.js';
import type { TenantEvents } from './tenant-events.js';
import type { ProcessServices, TenantLease, TenantSettings } from './tenant-parts.js';

export interface ExecutionStartsParts {
  readonly settings: TenantSettings;
  readonly store: TenantStore;
  readonly lane: Lane;
  readonly lease: TenantLease;
  readonly inFlight: ClaimsInFlight;
  readonly services: ProcessServices;
  readonly intake: ClaimIntake;
  readonly events: TenantEvents;
  /** Tasks are ready that were not taken with their start. */
  readonly workIsReady: () => void;
  /** Tasks become ready in so many milliseconds. */
  readonly dueIn: (ms: number) => void;
  /** A claim may have been committed without this process knowing. */
  readonly uncertain: () => void;
  /** The database has lost definitions that this process had stored. */
  readonly definitionsMissing: () => void;
}

/** Starts executions, by themselves or inside a caller's transaction, and goes on with what was claimed with them. */
export class ExecutionStarts {
  private readonly starter: Starter;
  private readonly openKeys = new OpenKeys();

  constructor(private readonly parts: ExecutionStartsParts) {
    const { settings, store, lane, lease, services, inFlight } = parts;
    this.starter = new Starter({
      tenant: settings.tenant,
      store,
      lane,
      lease,
      inFlight,
      startTimeoutMs: settings.startTimeoutMs,
      queuedBytes: services.queuedBytes,
      isHeldHere: (request) => this.openKeys.isHeld(keyOf(request)),
      consequences: {
        claimed: (request, claims) => this.begun(request, claims),
        leftReady: (request) => this.rootsWait(request),
        uncertain: () => parts.uncertain(),
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
    manager: EntityManager,
    request: StartRequest,
  ): Promise<{ id: string; created: boolean }> {
    const { settings, store, lease, services, dueIn, definitionsMissing } = this.parts;
    const item = toStartItem(request, 0);
    const began = performance.now();
    const reply = await store
      .startIn(
        manager,
        item,
        lease.withoutClaim(),
        services.workPayload(settings.address),
        settings.startTimeoutMs,
      )
      .catch((error: unknown) => {
        const waitedMs = performance.now() - began;
        throw isLockTimeout(error)
          ? keyIsHeld({ tenant: settings.tenant, request, waitedMs, isHeldHere: false }, error)
          : error;
      });
    if (!reply.definitionsAreStored) definitionsMissing();
    const created = isCreated(reply, item.id);
    if (created && item.idempotencyKey !== null) this.openKeys.add(keyOf(request), manager);
    // What the commit tells the others is that there is work; nobody looks again when that is not due yet.
    const delayMs = delayOf(request);
    if (delayMs > 0) dueIn(delayMs);
    if (created || item.idempotencyKey === null) return { id: item.id, created };
    const [id] = await store.findByKeys(
      [{ workflow: item.plan.workflow, key: item.idempotencyKey }],
      manager,
    );
    return { id: id ?? item.id, created: false };
  }

  settled(): Promise<void> {
    return this.starter.settled();
  }

  close(): void {
    this.starter.close();
  }

  private begun(request: StartRequest, claims: number): void {
    this.parts.intake.fromStart(request, claims);
    const workflow = request.definition.workflow.name;
    this.parts.events.ofExecution('execution.started', request.id, workflow);
  }

  private rootsWait(request: StartRequest): void {
    const delayMs = delayOf(request);
    if (delayMs > 0) this.parts.dueIn(delayMs);
    else this.parts.workIsReady();
  }
}

/** How long until a start is due; the database's clock decides, this says when to look. */
function delayOf({ runAt, delayMs }: StartRequest): number {
  return runAt === null ? (delayMs ?? 0) : runAt.getTime() - Date.now();
}
