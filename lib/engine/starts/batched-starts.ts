import { conflictDelay } from '../../runtime/retry-on-conflict.js';
import type { BatchedStart, BatchStore } from '../../store/port/index.js';
import { toStartItem } from './start-item.js';
import { StartQueue, type CollectedStartsParts } from './start-queue.js';
import type { Started, StartRequest } from './start-request.js';

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

export interface BatchedStartsParts extends CollectedStartsParts {
  readonly store: CollectedStartsParts['store'] & { readonly batches: BatchStore };
}

/** Sends the inputs of batches. Those of one key in a statement are added together, in the order of their calls. */
export class BatchedStarts {
  private readonly queue: StartQueue<BatchedRequest>;

  constructor(private readonly parts: BatchedStartsParts) {
    this.queue = new StartQueue(parts, {
      // The input is a row of its own beside the execution's.
      bytesPerInput: 2,
      send: (queued, resent) => this.send(queued, resent),
    });
  }

  /** @throws QueueFullError */
  start(request: StartRequest, batch: Batch): Promise<Started> {
    return this.queue.add({ request, batch });
  }

  whenIdle(): Promise<void> {
    return this.queue.whenIdle();
  }

  close(): void {
    this.queue.close();
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
