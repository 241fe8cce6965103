import { DatabaseUnavailableError } from '../errors/index.js';
import { isCreated, type StartItem, type TenantStore } from '../store/store.js';
import { Batcher } from './batcher.js';
import type { ClaimsInFlight } from './claims-in-flight.js';
import type { Lane } from './lane.js';
import { canRunRoots, type RunnableDefinition } from './runnable-definition.js';
import type { TenantLease } from './tenant-parts.js';

/** Executions to one statement; task rows, and bytes of input at so many to a row. */
const MAX_STARTS = 300;
const MAX_WEIGHT = 12_000;
const BYTES_PER_WEIGHT = 1_000;
/** More would only share the cores of the server, and its connections. */
const MAX_STATEMENTS = 2;
/** Starts that wait for the database at most; beyond, a start fails at once rather than fill the memory. */
const MAX_QUEUED = 50_000;

export interface StartRequest {
  readonly id: string;
  readonly definition: RunnableDefinition;
  /** JSON text of the input context, and of each of its keys. */
  readonly input: string;
  readonly members: ReadonlyMap<string, string>;
  readonly priority: number;
  readonly runAt: Date | null;
  readonly delayMs: number | null;
  readonly idempotencyKey: string | null;
}

export interface Started {
  /** The execution's id; an earlier execution's if its idempotency key was taken. */
  readonly id: string;
  readonly created: boolean;
  /** Roots that were claimed with it: the first so many. */
  readonly claims: number;
}

export interface StartConsequences {
  claimed(request: StartRequest, claims: number): void;
  /** Roots wait that this process did not take. */
  leftReady(request: StartRequest): void;
  uncertain(): void;
  /** The database has lost definitions that this process had stored. */
  definitionsMissing(): void;
}

interface Queued {
  readonly request: StartRequest;
  readonly queuedAt: number;
}

/**
 * Starts executions in batches and claims their roots with them where there is room.
 *
 * Starts with an idempotency key have a lane of their own: a key that somebody else's open transaction holds makes
 * its own start wait, and no start without one.
 */
export class Starter {
  private readonly plain: Batcher<Queued, Started>;
  private readonly keyed: Batcher<Queued, Started>;

  constructor(
    private readonly tenant: string,
    private readonly store: TenantStore,
    private readonly lane: Lane,
    private readonly lease: TenantLease,
    private readonly inFlight: ClaimsInFlight,
    private readonly startTimeoutMs: number,
    private readonly consequences: StartConsequences,
  ) {
    this.plain = this.batcherFor((items, resent) => this.sendPlain(items, resent));
    this.keyed = this.batcherFor((items, resent) => this.sendKeyed(items, resent));
  }

  start(request: StartRequest): Promise<Started> {
    const batcher = request.idempotencyKey === null ? this.plain : this.keyed;
    if (batcher.size >= MAX_QUEUED) throw this.unavailable(0, undefined);
    return batcher.add({ request, queuedAt: performance.now() });
  }

  async settled(): Promise<void> {
    await Promise.all([this.plain.settled(), this.keyed.settled()]);
  }

  close(): void {
    this.plain.close();
    this.keyed.close();
  }

  private batcherFor(
    send: (items: readonly Queued[], resent: boolean) => Promise<readonly Started[]>,
  ): Batcher<Queued, Started> {
    return new Batcher({
      maxItems: MAX_STARTS,
      weight: ({ request }) =>
        request.definition.workflow.tasks.length + request.input.length / BYTES_PER_WEIGHT,
      maxWeight: MAX_WEIGHT,
      maxStatements: MAX_STATEMENTS,
      send,
      classify: (error) => this.store.classifyFailure(error),
      // What may have been written is not called failed: it is sent again until its fate is known.
      giveUp: ({ queuedAt }, error, sent) => {
        const waitedMs = performance.now() - queuedAt;
        return sent || waitedMs < this.startTimeoutMs
          ? undefined
          : this.unavailable(waitedMs, error);
      },
    });
  }

  private async sendPlain(queued: readonly Queued[], resent: boolean): Promise<Started[]> {
    const started = await this.send(queued, resent);
    if (!resent) return started;
    // Without a key, what is there already is what an earlier send of the same id made.
    this.consequences.uncertain();
    for (const [i, { request }] of queued.entries()) {
      if (started[i]?.created === false) this.consequences.leftReady(request);
    }
    return started.map((start) => ({ ...start, created: true }));
  }

  /** One row a key, in key order; then whoever finds a key taken reads by whom. */
  private async sendKeyed(queued: readonly Queued[], resent: boolean): Promise<Started[]> {
    if (resent) this.consequences.uncertain();
    const first = new Map<string, Queued>();
    for (const item of queued) {
      const key = keyOf(item.request);
      if (!first.has(key)) first.set(key, item);
    }
    const unique = [...first.entries()]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([, item]) => item);
    const started = await this.send(unique, true);
    const byKey = new Map(unique.map((item, i) => [keyOf(item.request), started[i]]));
    const owners = await this.ownersOf(unique.filter((_, i) => started[i]?.created === false));
    return queued.map((item) => {
      const key = keyOf(item.request);
      const mine = byKey.get(key);
      if (mine?.created === true && first.get(key) === item) return mine;
      const id = mine?.created === true ? mine.id : owners.get(key);
      // A send whose reply was lost may have created it under this very id.
      return { id: id ?? item.request.id, created: id === item.request.id, claims: 0 };
    });
  }

  private async ownersOf(items: readonly Queued[]): Promise<Map<string, string>> {
    const owners = new Map<string, string>();
    if (items.length === 0) return owners;
    const ids = await this.store.findByKeys(
      items.map(({ request }) => ({
        workflow: request.definition.workflow.name,
        key: request.idempotencyKey ?? '',
      })),
    );
    for (const [i, { request }] of items.entries()) {
      const id = ids[i];
      if (id !== undefined) owners.set(keyOf(request), id);
    }
    return owners;
  }

  /** `careful`: some rows may be there already, and the statement says which it made. */
  private async send(queued: readonly Queued[], careful: boolean): Promise<Started[]> {
    const rootsOf = ({ request }: Queued): number => wantedClaims(request);
    const wanted = queued.reduce((sum, item) => sum + rootsOf(item), 0);
    // Half of the room is for what is known to wait, and all of it where there is little.
    const { backlog, room: free } = this.lane;
    const room = this.lane.reserve(backlog ? Math.min(wanted, free >> 1) : wanted);
    const landed = this.inFlight.begin();
    const lease = room > 0 ? this.lease.forClaim() : this.lease.withoutClaim();
    try {
      let left = room;
      const items = queued.map((item): StartItem => {
        const claims = Math.min(left, rootsOf(item));
        left -= claims;
        return toStartItem(item.request, claims);
      });
      const reply = await this.store.start(items, lease, careful);
      this.lease.written(lease);
      if (!reply.definitionsAreStored) this.consequences.definitionsMissing();
      return queued.map(({ request }, i) => {
        const isNew = isCreated(reply, request.id);
        const claims = isNew ? (items[i]?.claims ?? 0) : 0;
        if (claims > 0) this.consequences.claimed(request, claims);
        if (isNew && claims < request.definition.workflow.roots.length)
          this.consequences.leftReady(request);
        return { id: request.id, created: isNew, claims };
      });
    } finally {
      landed();
      this.lane.unreserve(room);
    }
  }

  private unavailable(waitedMs: number, cause: unknown): DatabaseUnavailableError {
    return new DatabaseUnavailableError(
      { tenant: this.tenant, waitedMs: Math.round(waitedMs) },
      cause === undefined ? undefined : { cause },
    );
  }
}

/** Roots that this process may take with the start: those due now, if it has all their handlers. */
function wantedClaims(request: StartRequest): number {
  if (request.runAt !== null || (request.delayMs ?? 0) > 0) return 0;
  return canRunRoots(request.definition) ? request.definition.workflow.roots.length : 0;
}

function keyOf(request: StartRequest): string {
  return JSON.stringify([request.definition.workflow.name, request.idempotencyKey]);
}

export function toStartItem(request: StartRequest, claims: number): StartItem {
  return {
    id: request.id,
    plan: request.definition.plan,
    input: request.input,
    priority: request.priority,
    runAt: request.runAt,
    delayMs: request.delayMs,
    idempotencyKey: request.idempotencyKey,
    claims,
  };
}
