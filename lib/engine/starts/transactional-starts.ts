import type { TenantEvents } from '../../events/tenant-events.js';
import type { FailureClassifier } from '../../runtime/failure.js';
import {
  isCreated,
  type ExecutionStore,
  type StartStore,
  type UserTransaction,
} from '../../store/port/index.js';
import type { ClaimGate } from '../claims/claim-gate.js';
import type { ProcessServices, TenantSettings } from '../process-services.js';
import type { OpenKeys } from './open-keys.js';
import { keyIsHeld } from './start-failures.js';
import { delayOf, keyOf, toStartItem } from './start-item.js';
import type { Started, StartRequest } from './starter.js';
import { UncommittedStarts } from './uncommitted-starts.js';

export interface TransactionalStartsParts {
  readonly settings: Pick<TenantSettings, 'tenant' | 'address' | 'startTimeoutMs'>;
  readonly store: StartStore & Pick<ExecutionStore, 'executions'> & FailureClassifier;
  readonly gate: Pick<ClaimGate, 'withoutClaim'>;
  readonly services: Pick<ProcessServices, 'clock' | 'workPayload'>;
  readonly openKeys: OpenKeys;
  readonly events: TenantEvents;
  readonly consequences: {
    /** Called when tasks become due in `ms` milliseconds. */
    dueIn(ms: number): void;
    /** Called when the database has lost definitions that this process had stored. */
    definitionsMissing(): void;
  };
}

/**
 * Starts executions inside callers' transactions. The commit notifies the processes, and one of them claims the tasks.
 */
export class TransactionalStarts {
  private readonly uncommitted: UncommittedStarts;

  constructor(private readonly parts: TransactionalStartsParts) {
    this.uncommitted = new UncommittedStarts(parts.store, parts.services.clock);
  }

  /** @throws DatabaseUnavailableError when another transaction held the key for `startTimeout` */
  async start(manager: UserTransaction, request: StartRequest): Promise<Omit<Started, 'claims'>> {
    const { settings, store, gate, services, openKeys, events, consequences } = this.parts;
    const item = toStartItem(request, 0);
    const began = services.clock.now();
    const reply = await store
      .startIn(
        manager,
        item,
        gate.withoutClaim,
        services.workPayload(settings.address),
        settings.startTimeoutMs,
      )
      .catch((error: unknown) => {
        const waitedMs = services.clock.now() - began;
        throw store.classifyFailure(error).isLockTimeout
          ? keyIsHeld({ tenant: settings.tenant, request, waitedMs, isHeldHere: false }, error)
          : error;
      });
    if (!reply.definitionsAreStored) consequences.definitionsMissing();
    const created = isCreated(reply, item.id);
    if (created && item.idempotencyKey !== null) openKeys.add(keyOf(request), manager);
    if (created && events.wants('execution.started')) {
      this.uncommitted.add(item.id, manager, () =>
        events.executionStarted(item.id, item.plan.workflow, item.tags),
      );
    }
    // The notification at the commit makes processes look once. If the start is not due then, this timer looks again.
    const delayMs = delayOf(request, services.clock);
    if (delayMs > 0) consequences.dueIn(delayMs);
    if (created || item.idempotencyKey === null) return { id: item.id, created, hasWaiters: false };
    const [id] = await store.findByKeys(
      [{ workflow: item.plan.workflow, key: item.idempotencyKey }],
      manager,
    );
    return { id: id ?? item.id, created: false, hasWaiters: false };
  }

  close(): void {
    this.uncommitted.close();
  }
}
