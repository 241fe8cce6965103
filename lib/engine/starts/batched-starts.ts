import { Batcher } from '../../runtime/batcher.js';
import type { Clock } from '../../runtime/clock.js';
import type { FailureClassifier } from '../../runtime/failure.js';
import { conflictDelay } from '../../runtime/retry-on-conflict.js';
import type { BatchedStart, BatchStore } from '../../store/port/index.js';
import { classifierOf, weightOf, WRITE_LIMITS } from '../write-batches.js';
import type { QueuedBytes } from './queued-bytes.js';
import { queueIsFull, startTimedOut } from './start-failures.js';
import { toStartItem } from './start-item.js';
import type { Started, StartRequest } from './start-request.js';

/** Max number of inputs in one statement, and of starts that wait for the database. */
const MAX_STARTS = 300;
const MAX_QUEUED = 50_000;

/** How inputs are collected. */
export interface Batch {
  readonly key: string;
  readonly size: number;
  readonly waitMs: number;
}

export interface BatchedRequest {
  /** The id of the request is that of its input, and of the execution if it creates one. */
  readonly request: StartRequest;
  readonly batch: Batch;
}

export interface BatchedStartsParts {
  readonly clock: Clock;
  readonly tenant: string;
  readonly startTimeoutMs: number;
  readonly queuedBytes: QueuedBytes;
  readonly store: FailureClassifier & { readonly batches: BatchStore };
  readonly consequences: {
    created(request: StartRequest): void;
    /** Called when the execution becomes due, or asks for its slot, in `ms` milliseconds. */
    dueIn(ms: number, request: StartRequest): void;
    definitionsMissing(): void;
  };
}

/** Sends the inputs of batches. Those of one key in a statement are added together, in the order of their calls. */
export class BatchedStarts {
  private readonly batcher: Batcher<BatchedRequest, Started>;

  constructor(private readonly parts: BatchedStartsParts) {
    const { clock, store, tenant, startTimeoutMs, queuedBytes } = parts;
    this.batcher = new Batcher({
      clock,
      maxItems: MAX_STARTS,
      ...WRITE_LIMITS,
      // One at a time: inputs of a key keep the order of their calls.
      maxStatements: 1,
      weight: ({ request }) =>
        weightOf(request.definition.workflow.tasks.length, 2 * request.input.length),
      send: (queued, resent) => this.send(queued, resent),
      classify: classifierOf(store),
      giveUp: ({ request }, error, state) =>
        startTimedOut({ tenant, request, startTimeoutMs, store, isHeldHere: false }, state, error),
      ended: ({ request }) => queuedBytes.remove(request.input.length),
    });
  }

  start(request: StartRequest, batch: Batch): Promise<Started> {
    const { tenant, queuedBytes } = this.parts;
    const { size } = this.batcher;
    if (size >= MAX_QUEUED || !queuedBytes.add(request.input.length)) {
      throw queueIsFull(tenant, { starts: size, bytes: queuedBytes.bytes });
    }
    return this.batcher.add({ request, batch });
  }

  whenIdle(): Promise<void> {
    return this.batcher.whenIdle();
  }

  close(): void {
    this.batcher.close();
  }

  /** Sends inputs until each of them is in a batch. */
  private async send(queued: readonly BatchedRequest[], resent: boolean): Promise<Started[]> {
    const { clock } = this.parts;
    const started = new Map<BatchedRequest, Started>();
    let left = queued;
    let isStuck = resent;
    for (let attempt = 0; left.length > 0; attempt++) {
      // A send whose reply was lost, or that another one has overtaken, may have stored some of them.
      if (isStuck) await this.findStored(left, started);
      left = left.filter((one) => !started.has(one));
      if (left.length === 0) break;
      if (isStuck && attempt > 0) await conflictDelay(attempt - 1, clock);
      const before = started.size;
      await this.sendOnce(left, started);
      left = left.filter((one) => !started.has(one));
      isStuck = started.size === before;
    }
    return queued.map((one) => started.get(one) ?? startedAs(one.request.id, false));
  }

  private async findStored(
    requests: readonly BatchedRequest[],
    started: Map<BatchedRequest, Started>,
  ): Promise<void> {
    const { store, consequences } = this.parts;
    const found = await store.batches.find(requests.map(({ request }) => request.id));
    for (const one of requests) {
      const { request } = one;
      const id = found.get(request.id);
      if (id === undefined) continue;
      started.set(one, startedAs(id, id === request.id));
      if (id === request.id) consequences.created(request);
      // The lost reply has said whether the batch is full.
      consequences.dueIn(0, request);
      consequences.dueIn(one.batch.waitMs, request);
    }
  }

  private async sendOnce(
    requests: readonly BatchedRequest[],
    started: Map<BatchedRequest, Started>,
  ): Promise<void> {
    const { store, consequences } = this.parts;
    const groups = byPlace(requests);
    const { starts, definitionsAreStored } = await store.batches.start(groups.map(toStart));
    if (!definitionsAreStored) consequences.definitionsMissing();
    for (const [i, group] of groups.entries()) {
      const result = starts[i];
      const [first] = group;
      if (result === undefined || result.taken === 0) continue;
      for (const [n, one] of group.slice(0, result.taken).entries()) {
        started.set(one, startedAs(result.id, result.created && n === 0));
      }
      if (result.created) consequences.created(first.request);
      if (result.isFull) consequences.dueIn(0, first.request);
      else if (result.created) consequences.dueIn(first.batch.waitMs, first.request);
    }
  }
}

function startedAs(id: string, created: boolean): Started {
  return { id, created, claims: 0, hasWaiters: false };
}

type Group = readonly [BatchedRequest, ...BatchedRequest[]];

/** The requests of each workflow and key, sorted by these. */
function byPlace(requests: readonly BatchedRequest[]): Group[] {
  const groups = new Map<string, [BatchedRequest, ...BatchedRequest[]]>();
  for (const one of requests) {
    const place = JSON.stringify([one.request.definition.workflow.name, one.batch.key]);
    const group = groups.get(place);
    if (group === undefined) groups.set(place, [one]);
    else group.push(one);
  }
  return [...groups].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, group]) => group);
}

function toStart(group: Group): BatchedStart {
  const [{ request, batch }] = group;
  const inputs = group.map((one) => ({ id: one.request.id, input: one.request.input }));
  return { item: toStartItem(request, 0), ...batch, inputs };
}
