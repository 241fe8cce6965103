import { Logger } from '@nestjs/common';
import { toStoredError } from '../../errors/index.js';
import { placeOf, wantedClaims, withClaims } from './start-item.js';
import { queueIsFull, startTimedOut } from './start-failures.js';
import type { Started, StartRequest } from './start-request.js';
import type { QueuedBytes } from './queued-bytes.js';
import type { CloacinaTelemetry } from '../../events/telemetry.js';
import { Batcher } from '../../runtime/batcher.js';
import {
  classifierOf,
  HELD_KEYS,
  keyLockTimeoutMs,
  weightOf,
  WRITE_LIMITS,
} from '../write-batches.js';
import type { ClaimGate } from '../claims/claim-gate.js';
import {
  type StartItem,
  type ClaimBatch,
  type StartReply,
  type StartStore,
  isCreated,
} from '../../store/port/index.js';
import type { FailureClassifier } from '../../runtime/failure.js';
import type { PermitSource } from '../../runtime/permit.js';
import type { Clock } from '../../runtime/clock.js';

/** Maximum number of executions in one statement. */
const MAX_STARTS = 300;
/** Maximum number of executions in a statement of a bulk start, whose caller waits for all of them anyway. */
const MAX_BULK_STARTS = 2_000;
/** Maximum number of starts that wait for the database. Further starts fail at once, to bound the memory. */
const MAX_QUEUED = 50_000;

export interface StartConsequences {
  /** Called when the execution is stored. */
  created(request: StartRequest): void;
  claimed(request: StartRequest, claims: number, batch: ClaimBatch | undefined): void;
  /** Called when `roots` root tasks are left that this process did not claim. */
  leftReady(request: StartRequest, roots: number): void;
  /** Called in place of `leftReady` when the execution waits for its turn. */
  waits(request: StartRequest): void;
  mayBeWritten(): void;
  /** Called when the database has lost definitions that this process had stored. */
  definitionsMissing(): void;
}

/** For starts without an idempotency key and without an admission, and for the others. */
interface StartBatchers {
  readonly plain: Batcher<StartRequest, Started>;
  readonly keyed: Batcher<StartRequest, Started>;
}

export interface StarterParts {
  readonly clock: Clock;
  readonly tenant: string;
  readonly store: StartStore & FailureClassifier & PermitSource;
  readonly gate: ClaimGate;
  readonly startTimeoutMs: number;
  readonly queuedBytes: QueuedBytes;
  /** Whether an open transaction of this process holds the key of the request. */
  readonly isHeldHere: (request: StartRequest) => boolean;
  readonly consequences: StartConsequences;
  readonly telemetry?: Pick<CloacinaTelemetry, 'batch'> | undefined;
}

/**
 * Starts executions in batches, and claims their root tasks in the same statement as far as there is room.
 *
 * Starts with an idempotency key have a batcher of their own, because a key may have to wait for another transaction
 * that holds it. Starts without a key never wait for that. Starts of workflows with an admission go with them: they wait for
 * the locks of slots, and may return another execution too.
 */
export class Starter {
  private readonly logger = new Logger('Cloacina');
  private readonly single: StartBatchers;
  private bulk: StartBatchers | undefined;

  constructor(private readonly parts: StarterParts) {
    this.single = this.batchersFor(MAX_STARTS);
  }

  start(request: StartRequest): Promise<Started> {
    return this.add(this.single, request);
  }

  /**
   * Starts one of the executions of a bulk start. They have batches of their own, so that single starts, whose callers wait
   * for less, do not wait for a large statement.
   */
  startInBulk(request: StartRequest): Promise<Started> {
    this.bulk ??= this.batchersFor(MAX_BULK_STARTS);
    return this.add(this.bulk, request);
  }

  private add({ plain, keyed }: StartBatchers, request: StartRequest): Promise<Started> {
    const isPlain = request.idempotencyKey === null && request.admission === null;
    const batcher = isPlain ? plain : keyed;
    const { tenant, queuedBytes } = this.parts;
    const bytes = request.input.length;
    if (batcher.size >= MAX_QUEUED || !queuedBytes.add(bytes)) {
      throw queueIsFull(tenant, { starts: batcher.size, bytes: queuedBytes.bytes });
    }
    return batcher.add(request);
  }

  async whenIdle(): Promise<void> {
    await Promise.all(this.batchers.map((batcher) => batcher.whenIdle()));
  }

  close(): void {
    for (const batcher of this.batchers) batcher.close();
  }

  private get batchers(): Batcher<StartRequest, Started>[] {
    return [this.single, this.bulk].flatMap((both) =>
      both === undefined ? [] : [both.plain, both.keyed],
    );
  }

  private batchersFor(maxItems: number): StartBatchers {
    return {
      plain: this.batcherFor(maxItems, (items, resent) => this.sendPlain(items, resent)),
      keyed: this.batcherFor(maxItems, (items, resent) => this.sendKeyed(items, resent), HELD_KEYS),
    };
  }

  private batcherFor(
    maxItems: number,
    send: (items: readonly StartRequest[], resent: boolean) => Promise<readonly Started[]>,
    locked?: typeof HELD_KEYS,
  ): Batcher<StartRequest, Started> {
    return new Batcher({
      clock: this.parts.clock,
      maxItems,
      ...WRITE_LIMITS,
      weight: ({ definition, input }) => weightOf(definition.workflow.tasks.length, input.length),
      permit: () => this.parts.store.permit(),
      send,
      ...(locked === undefined ? {} : { locked }),
      classify: classifierOf(this.parts.store),
      giveUp: (request, error, state) => {
        const { tenant, startTimeoutMs, isHeldHere, store } = this.parts;
        const start = { tenant, request, startTimeoutMs, store, isHeldHere: isHeldHere(request) };
        return startTimedOut(start, state, error);
      },
      late: (requests, error) => this.reportLate(requests.length, error),
      ended: ({ input }) => this.parts.queuedBytes.remove(input.length),
    });
  }

  private reportLate(count: number, error: unknown): void {
    this.logger.warn(
      `Tenant "${this.parts.tenant}": ${count} start${count === 1 ? '' : 's'} could not be stored for some seconds, ` +
        `and will be retried: ${toStoredError(error).message}`,
    );
  }

  private async sendPlain(queued: readonly StartRequest[], resent: boolean): Promise<Started[]> {
    const started = await this.send(queued, resent);
    if (!resent) return started;
    // Without a key, only an earlier send of the same start can have created the row.
    this.parts.consequences.mayBeWritten();
    for (const [i, request] of queued.entries()) {
      if (started[i]?.created === false) this.createdBefore(request);
    }
    return started.map((start) => ({ ...start, created: true }));
  }

  /** Sends one row for each key (and each start without one), in key order, and then reads which executions own the keys that were taken. */
  private async sendKeyed(queued: readonly StartRequest[], resent: boolean): Promise<Started[]> {
    if (resent) this.parts.consequences.mayBeWritten();
    const first = new Map<string, StartRequest>();
    for (const request of queued) {
      const key = placeOf(request);
      if (!first.has(key)) first.set(key, request);
    }
    const unique = [...first.entries()]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([, item]) => item);
    const started = await this.send(unique, true, keyLockTimeoutMs(unique.length));
    const byKey = new Map(unique.map((request, i) => [placeOf(request), started[i]]));
    const owners = await this.ownersOf(unique.filter((_, i) => started[i]?.created === false));
    return queued.map((request) => {
      const key = placeOf(request);
      const mine = byKey.get(key);
      if (mine?.created === true && first.get(key) === request) return mine;
      const id = mine?.created === true ? mine.id : (owners.get(key) ?? mine?.id);
      // Only an earlier send whose reply was lost can have created the execution under this id.
      const created = id === request.id;
      if (created) this.createdBefore(request);
      return { id: id ?? request.id, created, claims: 0, hasWaiters: false };
    });
  }

  /** An earlier send created the execution. Whether it began or waits for its turn, and who has its tasks, is not known. */
  private createdBefore(request: StartRequest): void {
    const { consequences } = this.parts;
    consequences.created(request);
    if (request.admission !== null) consequences.waits(request);
    consequences.leftReady(request, request.definition.workflow.roots.length);
  }

  private async ownersOf(requests: readonly StartRequest[]): Promise<Map<string, string>> {
    const owners = new Map<string, string>();
    const keyed = requests.filter(({ idempotencyKey }) => idempotencyKey !== null);
    if (keyed.length === 0) return owners;
    const ids = await this.parts.store.findByKeys(
      keyed.map(({ definition, idempotencyKey }) => ({
        workflow: definition.workflow.name,
        key: idempotencyKey ?? '',
      })),
    );
    for (const [i, request] of keyed.entries()) {
      const id = ids[i];
      if (id !== undefined) owners.set(placeOf(request), id);
    }
    return owners;
  }

  /** @param careful - some rows may exist already, so the statement reports which ones it created */
  private async send(
    queued: readonly StartRequest[],
    careful: boolean,
    lockTimeoutMs?: number,
  ): Promise<Started[]> {
    const { gate, store } = this.parts;
    const wanted = queued.reduce((sum, request) => sum + wantedClaims(request), 0);
    let items: readonly StartItem[] = [];
    return gate.withRoom(
      gate.besideBacklog(wanted),
      (lease, room) => {
        items = withClaims(queued, room);
        return store.start(items, lease, careful, lockTimeoutMs);
      },
      (reply) => this.follow(queued, items, reply),
    );
  }

  private follow(
    queued: readonly StartRequest[],
    items: readonly StartItem[],
    reply: StartReply,
  ): Started[] {
    const { consequences, telemetry, tenant } = this.parts;
    telemetry?.batch('start', tenant, items.length);
    if (!reply.definitionsAreStored) consequences.definitionsMissing();
    return queued.map((request, i) => {
      const isNew = isCreated(reply, request.id);
      const waits = isNew && reply.waiting?.has(request.id) === true;
      const claims = isNew && !waits ? (items[i]?.claims ?? 0) : 0;
      if (isNew) consequences.created(request);
      if (claims > 0) consequences.claimed(request, claims, reply.batch);
      const left = request.definition.workflow.roots.length - claims;
      if (waits) consequences.waits(request);
      else if (isNew && left > 0) consequences.leftReady(request, left);
      const hasWaiters = isNew && items[i]?.hasWaiters === true;
      const id = reply.instead?.get(request.id) ?? request.id;
      return { id, created: isNew, claims, hasWaiters };
    });
  }
}
