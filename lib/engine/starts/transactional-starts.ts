import type { TenantEvents } from '../../events/tenant-events.js';
import type { FailureClassifier } from '../../runtime/failure.js';
import {
  isCreated,
  type ExecutionStore,
  type StartReply,
  type StartStore,
  type UserTransaction,
} from '../../store/port/index.js';
import type { ClaimGate } from '../claims/claim-gate.js';
import type { ProcessServices, TenantSettings } from '../process-services.js';
import type { OpenKeys } from './open-keys.js';
import { keyIsHeld } from './start-failures.js';
import { delayOf, keyOf, toStartItem } from './start-item.js';
import type { Started, StartRequest } from './start-request.js';
import { UncommittedStarts } from './uncommitted-starts.js';

/** A start in a transaction claims nothing. */
export type TransactionalStart = Omit<Started, 'claims'>;

export interface TransactionalStartsParts {
  readonly settings: Pick<TenantSettings, 'tenant' | 'address' | 'startTimeoutMs'>;
  readonly store: StartStore & Pick<ExecutionStore, 'statuses'> & FailureClassifier;
  readonly gate: Pick<ClaimGate, 'withoutClaim'>;
  readonly services: Pick<ProcessServices, 'clock' | 'workPayload'>;
  readonly openKeys: OpenKeys;
  readonly events: TenantEvents;
  readonly consequences: {
    /** Called when the tasks of a start become due in `ms` milliseconds, or ask for their slot. */
    dueIn(ms: number, request: StartRequest): void;
    /** Called for a start that may have to begin before a time. */
    startLimited(request: StartRequest): void;
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

  /** @throws DatabaseUnavailableError when another transaction held a key for `startTimeout` */
  async start(
    manager: UserTransaction,
    requests: readonly StartRequest[],
  ): Promise<TransactionalStart[]> {
    const { store, services, openKeys, events, consequences } = this.parts;
    // In key order, so that transactions with the same keys wait for each other instead of deadlocking.
    const sorted = requests.map((request) => ({ request, key: keyOf(request) }));
    if (requests.length > 1) sorted.sort((a, b) => (a.key < b.key ? -1 : 1));
    const reply = await this.send(
      manager,
      sorted.map(({ request }) => request),
    );
    if (!reply.definitionsAreStored) consequences.definitionsMissing();
    const tellsStarts = events.wants('execution.started');
    for (const { request, key } of sorted) {
      const { id, definition, idempotencyKey, tags } = request;
      const created = isCreated(reply, id);
      if (created && idempotencyKey !== null) openKeys.add(key, manager);
      if (created && tellsStarts) {
        this.uncommitted.add(id, manager, () =>
          events.executionStarted(id, definition.workflow.name, tags),
        );
      }
      // The notification at the commit makes processes look once. If the start is not due then, this timer looks again.
      const delayMs = delayOf(request, services.clock);
      if (delayMs > 0) consequences.dueIn(delayMs, request);
      consequences.startLimited(request);
    }
    const taken = requests.filter(({ id }) => !isCreated(reply, id));
    const keys = taken.flatMap(({ definition, idempotencyKey: key }) =>
      key === null ? [] : [{ workflow: definition.workflow.name, key }],
    );
    const owners = keys.length === 0 ? [] : await store.findByKeys(keys, manager);
    const byRequest = new Map(taken.map(({ id }, i) => [id, owners[i]]));
    return requests.map(({ id }) => ({
      id: byRequest.get(id) ?? id,
      created: !byRequest.has(id),
      hasWaiters: false,
    }));
  }

  private async send(
    manager: UserTransaction,
    requests: readonly StartRequest[],
  ): Promise<StartReply> {
    const { settings, store, gate, services } = this.parts;
    const { tenant, address, startTimeoutMs } = settings;
    const items = requests.map((request) => toStartItem(request, 0));
    const began = services.clock.now();
    try {
      const payload = services.workPayload(address);
      return await store.startIn(manager, items, gate.withoutClaim, payload, startTimeoutMs);
    } catch (error) {
      const [request] = requests.filter(({ idempotencyKey }) => idempotencyKey !== null);
      if (request === undefined || !store.classifyFailure(error).isLockTimeout) throw error;
      const waitedMs = services.clock.now() - began;
      throw keyIsHeld({ tenant, request, waitedMs, isHeldHere: false }, error);
    }
  }

  close(): void {
    this.uncommitted.close();
  }
}
